package admission

import (
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// dice make up Pods that the API server takes.
type dice struct{ *rand.Rand }

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

func some[T any](d dice, max int, f func() T) (out []T) {
	for range d.IntN(max + 1) {
		out = append(out, f())
	}
	return out
}

// An image is a repository whose images have the same platforms, none if nobody knows them.
type image struct {
	path      string // without tag
	digest    string // of v1, which was built; "" if it is only named
	platforms string
}

// images returns what Pods are made of: on Docker Hub and elsewhere, named, built, unknown.
func images() (all []image) {
	lists := []string{
		"linux/amd64", "linux/arm64", "linux/amd64,linux/arm64", "linux/amd64,linux/arm64,linux/s390x", "linux/386,linux/amd64,linux/arm,linux/arm64,linux/ppc64le",
		"linux/amd64,windows/amd64", "linux/amd64,linux/arm64,windows/amd64,windows/arm64", "windows/amd64", "linux/riscv64,linux/s390x", "linux/386,linux/amd64", "",
	}
	for i, l := range lists {
		all = append(all,
			image{path: fmt.Sprintf("docker.io/library/hub%d", i), platforms: l},
			image{path: fmt.Sprintf("localhost:5000/team/port%d", i), platforms: l})
		if l != "" {
			all = append(all, image{path: fmt.Sprintf("ghcr.io/team/built%d", i), platforms: l, digest: fmt.Sprintf("sha256:%064x", i)})
		}
	}
	return all
}

func (i image) spelled(d dice) string {
	if i.digest != "" {
		return pick(d, i.path+":v1", i.path+"@"+i.digest, i.path+":v1@"+i.digest, i.path+":moved@"+i.digest)
	}
	path := i.path
	if hub, ok := strings.CutPrefix(i.path, "docker.io/library/"); ok {
		path = pick(d, hub, "library/"+hub, "docker.io/"+hub, i.path, "index.docker.io/library/"+hub, "index.docker.io/"+hub, "registry-1.docker.io/library/"+hub)
	}
	return path + pick(d, "", ":latest", ":1.2", ":V1..2.-.x_y")
}

// flags are how the binary is told of the images.
func flags(all []image) (args []string) {
	for _, i := range all {
		switch {
		case i.digest != "":
			args = append(args, "--image="+i.path+"="+i.path+":v1@"+i.digest+";"+i.platforms)
		case i.platforms != "":
			args = append(args, "--image="+i.path+"=;"+i.platforms)
		}
	}
	return args
}

func (d dice) requirement() corev1.NodeSelectorRequirement {
	key := pick(d, "kubernetes.io/os", "kubernetes.io/arch", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch", "zone", "cores")
	r := corev1.NodeSelectorRequirement{Key: key, Operator: pick(d, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt)}
	switch r.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		r.Values = append(some(d, 3, func() string { return d.value(key) }), d.value(key))
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		r.Values = []string{pick(d, "3", "7", "385", "400", "0")}
	}
	return r
}

func (d dice) value(key string) string {
	switch {
	case strings.HasSuffix(key, "/os"):
		return pick(d, "linux", "linux", "windows", "darwin")
	case strings.HasSuffix(key, "/arch"):
		return pick(d, "amd64", "arm64", "arm64", "arm", "s390x", "386", "riscv64")
	}
	return pick(d, "a", "b", "7")
}

func (d dice) pod(n int, all []image) (p *corev1.Pod, used []image) {
	var s corev1.PodSpec
	container := func() corev1.Container {
		i := pick(d, all...)
		if d.IntN(3) > 0 { // one that has much in common with others
			i = all[6+d.IntN(9)]
		}
		used = append(used, i)
		return corev1.Container{Name: fmt.Sprint("c", len(used)), Image: i.spelled(d)}
	}
	s.InitContainers = some(d, 1, container)
	s.Containers = append(some(d, 1, container), container())
	for range d.IntN(3) {
		key := pick(d, "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/arch", "zone")
		if s.NodeSelector == nil {
			s.NodeSelector = map[string]string{}
		}
		if d.IntN(2) == 0 {
			s.NodeSelector[key] = d.value(key)
		}
	}
	na := &corev1.NodeAffinity{}
	if d.IntN(3) > 0 {
		na.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: append(some(d, 2, d.term), d.term())}
	}
	if d.IntN(4) == 0 {
		na.PreferredDuringSchedulingIgnoredDuringExecution = []corev1.PreferredSchedulingTerm{{Weight: 3, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{d.requirement()}}}}
	}
	switch d.IntN(3) {
	case 0:
		s.Affinity = &corev1.Affinity{NodeAffinity: na}
	case 1:
		s.Affinity = &corev1.Affinity{NodeAffinity: na, PodAntiAffinity: &corev1.PodAntiAffinity{}}
	}
	s.Tolerations = some(d, 2, func() corev1.Toleration {
		o := corev1.Toleration{Key: pick(d, "kubernetes.io/arch", "dedicated"), Effect: pick(d, "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule)}
		switch d.IntN(4) {
		case 0:
			o.Operator = corev1.TolerationOpExists
		case 1:
			o.Operator, o.Key = corev1.TolerationOpExists, ""
		default:
			o.Operator, o.Value = pick(d, "", corev1.TolerationOpEqual), pick(d, "", "arm64", "amd64")
		}
		return o
	})
	if d.IntN(50) == 0 {
		s.NodeName = "somewhere"
	}
	p = &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("p", n)}, Spec: s}
	return p, used
}

func (d dice) term() (t corev1.NodeSelectorTerm) {
	t.MatchExpressions = some(d, 3, d.requirement)
	if d.IntN(4) == 0 {
		t.MatchFields = []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: pick(d, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn), Values: []string{pick(d, "n1", "n2")}}}
	}
	return t
}

// nodes has one for each combination of what matters.
func nodes() (all []*corev1.Node) {
	for _, os := range []string{"linux", "windows"} {
		for _, arch := range []string{"amd64", "arm64", "arm", "s390x", "ppc64le", "riscv64", "386"} {
			for _, labels := range []int{0, 1, 2} {
				for _, zone := range []string{"", "7"} {
					n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", len(all)%5), Labels: map[string]string{}}}
					if zone != "" {
						n.Labels["zone"], n.Labels["cores"] = zone, "7"
					}
					if labels > 0 {
						n.Labels["kubernetes.io/os"], n.Labels["kubernetes.io/arch"] = os, arch
					}
					if labels > 1 {
						n.Labels["beta.kubernetes.io/os"], n.Labels["beta.kubernetes.io/arch"] = os, arch
					}
					all = append(all, n)
				}
			}
		}
	}
	return all
}

package corpus_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// nodes are one for each platform, with labels that rules may ask for.
var nodes = func() []*corev1.Node {
	var all []*corev1.Node
	for _, p := range []string{"linux/amd64", "linux/arm64", "linux/arm", "linux/s390x", "linux/riscv64", "windows/amd64", "windows/arm64", ""} {
		for _, zone := range []string{"", "a"} {
			n := &corev1.Node{}
			n.Name, n.Labels = fmt.Sprint("node-", len(all)), map[string]string{}
			if os, arch, ok := strings.Cut(p, "/"); ok {
				n.Labels["kubernetes.io/os"], n.Labels["kubernetes.io/arch"] = os, arch
			}
			if zone != "" {
				n.Labels["zone"], n.Labels["gpus"], n.Labels["beta.kubernetes.io/arch"] = zone, "4", n.Labels["kubernetes.io/arch"]
			}
			all = append(all, n)
		}
	}
	return all
}()

// allowed asks the code of the scheduler's plugin NodeAffinity. The nodes take
// on the labels that a nodeSelector asks for, if it is not about platforms.
func allowed(spec corev1.PodSpec) []bool {
	j := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: spec})
	out := make([]bool, len(nodes))
	for i, n := range nodes {
		n = n.DeepCopy()
		for key, value := range spec.NodeSelector {
			if !strings.HasSuffix(key, "kubernetes.io/arch") && !strings.HasSuffix(key, "kubernetes.io/os") {
				n.Labels[key] = value
			}
		}
		out[i], _ = j.Match(n)
	}
	return out
}

// platform is that of a node's labels, or "".
func platform(n *corev1.Node) string {
	if n.Labels["kubernetes.io/os"] == "" {
		return ""
	}
	return n.Labels["kubernetes.io/os"] + "/" + n.Labels["kubernetes.io/arch"]
}

// unlawful says how a PodSpec breaks the law, or returns "".
func unlawful(v visited) string {
	before, err := specOf(v.before)
	if err != nil {
		return ""
	}
	after, err := specOf(v.after)
	if err != nil {
		return err.Error()
	}
	if before.NodeName != "" {
		return ""
	}
	want := func(n *corev1.Node) bool {
		p := platform(n)
		return !slices.ContainsFunc(images(v.before), func(image string) bool {
			return !slices.ContainsFunc(platformsOf(unpinned(image)), func(has string) bool { return has == p || strings.HasPrefix(has, p+"/") })
		})
	}
	was, is := allowed(before), allowed(after)
	for i, n := range nodes {
		if lawful := was[i] && want(n); is[i] != lawful {
			return fmt.Sprintf("a node of platform %q is allowed: %t, want %t", platform(n), is[i], lawful)
		}
	}
	return ""
}

// specOf decodes what the scheduler's plugin looks at.
func specOf(m map[string]any) (corev1.PodSpec, error) {
	part := map[string]any{}
	for _, key := range []string{"affinity", "nodeSelector", "nodeName"} {
		if v, ok := m[key]; ok {
			part[key] = v
		}
	}
	var spec corev1.PodSpec
	b, err := json.Marshal(part)
	if err == nil {
		err = json.Unmarshal(b, &spec)
	}
	return spec, err
}

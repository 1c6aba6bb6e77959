package readiness

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

func platforms(t *testing.T, s string) platform.List {
	t.Helper()
	if s == "" {
		return nil
	}
	l, err := platform.ParseList(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// work makes a workload of one Pod with a core and a GiB.
func work(name string, images ...string) *Workload {
	w := &Workload{Kind: "Deployment", Namespace: "n", Name: name, Pods: 1, Requests: Resources{1, 1 << 30}}
	for n, i := range images {
		w.Containers = append(w.Containers, Container{Name: fmt.Sprint("c", n), Image: i})
	}
	return w
}

// report judges workloads; known is what images have, "image=platforms", "?" for
// what is not known and "!" before platforms for a liar.
func report(t *testing.T, on string, nodes *Nodes, known string, ws ...*Workload) *Report {
	t.Helper()
	images := Settle(ws, func(s string) string { return s })
	asked := platforms(t, on)
	for _, s := range strings.Fields(known) {
		name, has, _ := strings.Cut(s, "=")
		i := images[name]
		if i == nil {
			continue
		}
		if has == "?" {
			i.Unknown = &Unknown{Why: "401 Unauthorized", Host: "r.io", Denied: true, Hints: []string{"log in with: docker login r.io"}}
			continue
		}
		if list, lies := strings.CutPrefix(has, "!"); lies {
			has = list
			i.Programs = map[platform.Platform]Program{}
			for _, p := range asked {
				i.Programs[p] = Program{Wrong: []string{"/app is ELF amd64"}}
			}
		}
		i.Platforms = platforms(t, has)
	}
	return Judge(ws, images, asked, nodes)
}

func TestVerdicts(t *testing.T) {
	required := func(terms ...pod.Term) pod.Spec { return pod.Spec{Required: true, Terms: terms} }
	arch := func(op string, values ...string) pod.Requirement {
		return pod.Requirement{Key: "kubernetes.io/arch", Operator: op, Values: values, Field: "spec.affinity"}
	}
	const known = "both=linux/amd64,linux/arm64 amd=linux/amd64 old=linux/arm/v6 win=windows/amd64 liar=!linux/amd64,linux/arm64 no=?"
	for name, c := range map[string]struct {
		on, images string
		spec       pod.Spec
		more       func(*Workload)
		want       string
	}{
		"nothing keeps it off": {images: "both", want: "ready: nothing keeps it off"},
		"blocked":              {images: "both amd", want: "blocked: c1: amd: it has linux/amd64"},
		"lying":                {images: "liar both", want: "lying: c0: liar: /app is ELF amd64"},
		"unknown":              {images: "no both", want: "unknown: c0: no: 401 Unauthorized"},
		"blocked goes first":   {images: "no liar amd", want: "blocked: c2: amd: it has linux/amd64; c1: liar: /app is ELF amd64; c0: no: 401 Unauthorized"},
		"lying before unknown": {images: "no liar", want: "lying: c1: liar: /app is ELF amd64; c0: no: 401 Unauthorized"},
		"a selector":           {images: "both", spec: pod.Spec{NodeSelector: []pod.Requirement{{Key: "kubernetes.io/arch", Operator: "In", Values: []string{"amd64"}, Field: "spec.nodeSelector"}}}, want: "ready: kept off by nodeSelector kubernetes.io/arch=amd64"},
		"its former name":      {images: "both", spec: pod.Spec{NodeSelector: []pod.Requirement{{Key: "beta.kubernetes.io/arch", Operator: "In", Values: []string{"amd64"}, Field: "spec.nodeSelector"}}}, want: "ready: kept off by nodeSelector beta.kubernetes.io/arch=amd64"},
		"another selector":     {images: "both", spec: pod.Spec{NodeSelector: []pod.Requirement{{Key: "disk", Operator: "In", Values: []string{"ssd"}, Field: "spec.nodeSelector"}}}, want: "ready: nothing keeps it off"},
		"allowed":              {images: "both", spec: required(pod.Term{Expressions: []pod.Requirement{arch("In", "amd64", "arm64")}}), want: "allowed: its own rules name it"},
		"one of two terms":     {images: "both", spec: required(pod.Term{Expressions: []pod.Requirement{arch("In", "amd64")}}, pod.Term{Expressions: []pod.Requirement{arch("NotIn", "amd64")}}), want: "allowed: its own rules name it"},
		"affinity":             {images: "both", spec: required(pod.Term{Expressions: []pod.Requirement{arch("NotIn", "arm64")}}), want: "ready: kept off by node affinity kubernetes.io/arch NotIn [arm64]"},
		"an empty term":        {images: "both", spec: required(pod.Term{}), want: "ready: kept off by required node affinity that matches no node"},
		"allowed and blocked":  {images: "amd", spec: required(pod.Term{Expressions: []pod.Requirement{arch("In", "arm64")}}), want: "blocked: c0: amd: it has linux/amd64"},
		"spec.os":              {images: "both", more: func(w *Workload) { w.OS = "windows" }, want: "ready: kept off by spec.os windows"},
		"nodeName":             {images: "both", spec: pod.Spec{NodeName: "a"}, want: "ready: kept off by nodeName a"},
		"a Pod that is placed": {images: "both", spec: pod.Spec{NodeName: "a"}, more: func(w *Workload) { w.Placed = true }, want: "ready: nothing keeps it off"},
		"a virtual machine":    {images: "both", more: func(w *Workload) { w.Architecture = "amd64" }, want: "ready: kept off by architecture amd64"},
		"windows":              {on: "windows/amd64", images: "win", want: "ready: nothing keeps it off"},
		"windows, blocked":     {on: "windows/amd64", images: "both", want: "blocked: c0: both: it has linux/amd64, linux/arm64"},
		"an older variant":     {on: "linux/arm/v7", images: "old", want: "ready: nothing keeps it off"},
		"a newer variant":      {on: "linux/arm/v5", images: "old", want: "blocked: c0: old: it has linux/arm/v6"},
		"no containers":        {want: "ready: nothing keeps it off"},
	} {
		t.Run(name, func(t *testing.T) {
			w := work("w", strings.Fields(c.images)...)
			w.Spec = c.spec
			if c.more != nil {
				c.more(w)
			}
			if c.on == "" {
				c.on = "linux/arm64"
			}
			a := report(t, c.on, &Nodes{}, known, w).Workloads[0].Answers[0]
			if got := string(a.Verdict) + ": " + a.Why(); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTaintsOfPlatforms(t *testing.T) {
	taint := pod.Taint{Key: "kubernetes.io/arch", Value: "arm64", Effect: "NoSchedule"}
	n := &Nodes{Taints: []pod.Taint{taint, {Key: "other", Effect: "NoSchedule"}}}
	w, x := work("w", "both"), work("x", "both")
	x.Spec.Tolerations = []pod.Toleration{{Key: taint.Key, Operator: "Exists"}}
	r := report(t, "linux/arm64,linux/amd64", n, "both=linux/amd64,linux/arm64", w, x)
	var got []string
	for _, row := range r.Workloads {
		for _, a := range row.Answers {
			got = append(got, a.Why())
		}
	}
	want := []string{"nothing keeps it off", "kept off by taint kubernetes.io/arch=arm64:NoSchedule, which it does not tolerate", "nothing keeps it off", "nothing keeps it off"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestRanking(t *testing.T) {
	ws := []*Workload{work("a", "x"), work("b", "x", "y"), work("c", "y", "z"), work("d", "y", "z"), work("e", "y", "z"), work("f", "ok"), work("g", "v", "no"), work("h", "x", "x")}
	ws[0].Pods = 5
	p := report(t, "linux/arm64", &Nodes{}, "x=linux/amd64 y=linux/amd64 z=linux/amd64 v=!linux/amd64,linux/arm64 ok=linux/arm64 no=?", ws...).Platforms[0]
	var got []string
	for _, b := range p.Blocking {
		got = append(got, fmt.Sprintf("%s blocks %d frees %d adds %d/%v after %d", b.Image, b.Workloads, b.Frees.Workloads, b.Adds.Workloads, b.Adds.Cores, b.After.Workloads))
	}
	want := []string{
		"x blocks 3 frees 2 adds 2/6 after 3",
		"y blocks 4 frees 0 adds 1/1 after 4",
		"z blocks 3 frees 0 adds 3/3 after 7",
		"v blocks 1 frees 0 adds 0/0 after 7", // another of its images is not known
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if p.Movable.Workloads != 1 || p.All.Workloads != 8 || p.Verdicts[Lying].Workloads != 1 || len(p.Missing) != 0 {
		t.Errorf("%+v", p)
	}
	var steps []string
	for _, s := range p.Steps {
		steps = append(steps, fmt.Sprint(s.Images, ":", s.Workloads))
	}
	if !slices.Equal(steps, []string{"0:1", "3:7", "4:7"}) {
		t.Errorf("%q", steps)
	}
}

func TestNewer(t *testing.T) {
	all := []string{"1.27.3", "1.27.4", "1.27.10", "1.28.0", "1.28.0-rc1", "1.28.1-alpine", "1.27.9-alpine", "2.0.0", "latest", "1.28", "v1.30.0", "1.27.3-alpine3.20", "1.27.4-alpine3.21", "sha-abc"}
	for tag, want := range map[string]string{
		"1.27.3":            "1.27.10 1.28.0 2.0.0",
		"1.27.3-alpine":     "1.27.9-alpine 1.28.1-alpine",
		"1.27.3-alpine3.20": "1.27.4-alpine3.21",
		"1.27":              "1.28",
		"v1.2.3":            "v1.30.0",
		"2.0.0":             "",
		"3":                 "",
	} {
		got, isVersion := Newer(tag, all)
		if !isVersion || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
	for _, tag := range []string{"latest", "", "sha-abc", "main"} {
		if _, isVersion := Newer(tag, all); isVersion {
			t.Errorf("%s is a version", tag)
		}
	}
}

// What a cluster or a registry has named is text, wherever it is shown.
func TestHostileNames(t *testing.T) {
	const evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>|`\x1b[31m\u202e\r\n## x"
	w := work(evil, evil)
	w.Namespace, w.Owner, w.Kind = evil, evil, evil
	images := Settle([]*Workload{w}, func(s string) string { return s })
	images[evil].Unknown = &Unknown{Why: evil, Host: evil, Hints: []string{evil}, Denied: true}
	w2 := work("b"+evil, "b"+evil)
	images["b"+evil] = &Image{Ref: "b" + evil, Platforms: platforms(t, "linux/amd64")}
	w2.Containers[0].ref = "b" + evil
	r := Judge([]*Workload{w, w2}, images, platforms(t, "linux/arm64"), &Nodes{})
	r.Platforms[0].Blocking[0].Suggested = &Tag{Tag: evil}
	r.Notes = []string{evil}
	page, err := r.HTML(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if s := string(page); strings.Count(s, "<script") != 1 || strings.Contains(s, "<img") {
		t.Errorf("the page holds a stranger's markup:\n%s", s)
	}
	for _, s := range []string{r.Text(0), r.Text(60)} {
		if strings.ContainsAny(s, "\x1b\r\u202e") {
			t.Errorf("%q", s)
		}
	}
	md := r.Markdown()
	if strings.ContainsAny(md, "\x1b\r\u202e") || strings.Contains(md, "\n## x") || strings.Contains(strings.ReplaceAll(md, "<code>", ""), "<img") {
		t.Errorf("%q", md)
	}
}

// A table is never wider than the terminal as long as that has room for the
// columns at all.
func TestFit(t *testing.T) {
	w := work(strings.Repeat("long-name-", 9), "registry.example/"+strings.Repeat("very/", 20)+"long:1")
	w.Namespace = strings.Repeat("n", 60)
	r := report(t, "linux/arm64", &Nodes{}, w.Containers[0].Image+"=linux/amd64", w, work("b", "b"))
	for _, width := range []int{100, 132, 200} {
		for line := range strings.Lines(r.Text(width)) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > width {
				t.Errorf("%d columns: %d: %s", width, n, line)
			}
		}
	}
	if !strings.Contains(r.Text(0), w.Containers[0].Image) {
		t.Error("without a terminal something is cut")
	}
}

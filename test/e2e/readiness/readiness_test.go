package readiness_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// A variant is a PodSpec whose verdict is known beforehand.
type variant struct {
	rules      string // on nodes
	init, main string // images
	verdict    string
	keptOff    string
}

const archIn = "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/arch, operator: %s}]}]}}}"

var variants = map[string]variant{
	"plain":    {main: "both", verdict: "ready"},
	"allowed":  {main: "both", rules: fmt.Sprintf(archIn, "In, values: [amd64, arm64]"), verdict: "allowed"},
	"selected": {main: "both", rules: "nodeSelector: {kubernetes.io/arch: amd64}", verdict: "ready", keptOff: "nodeSelector kubernetes.io/arch=amd64"},
	"kept":     {main: "both", init: "both", rules: fmt.Sprintf(archIn, "NotIn, values: [arm64]"), verdict: "ready", keptOff: "node affinity kubernetes.io/arch NotIn [arm64]"},
	"blocked":  {main: "amd", verdict: "blocked"},
	"init":     {main: "both", init: "amd", verdict: "blocked"},
	"liar":     {main: "liar", verdict: "lying"},
	"gone":     {main: "gone", verdict: "unknown"},
}

// spec is the variant as a PodSpec, in YAML's flow style.
func (v variant) spec(registry, more string) string {
	s := "{terminationGracePeriodSeconds: 0, " + more
	if v.rules != "" {
		s += v.rules + ", "
	}
	if v.init != "" {
		s += fmt.Sprintf("initContainers: [{name: first, image: %q}], ", registry+"/"+v.init+":1")
	}
	return s + fmt.Sprintf("containers: [{name: main, image: %q, resources: {requests: {cpu: 10m, memory: 8Mi}}}]}", registry+"/"+v.main+":1")
}

// kinds are objects that hold a PodSpec and start nothing: they are asked about, not run.
var kinds = map[string]string{
	"Deployment":            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: %[1]s}, spec: {replicas: 0, selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}}, spec: %[2]s}}}",
	"StatefulSet":           "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: %[1]s}, spec: {replicas: 0, serviceName: x, selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}}, spec: %[2]s}}}",
	"ReplicaSet":            "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: %[1]s}, spec: {replicas: 0, selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}}, spec: %[2]s}}}",
	"ReplicationController": "{apiVersion: v1, kind: ReplicationController, metadata: {name: %[1]s}, spec: {replicas: 0, selector: {app: %[1]s}, template: {metadata: {labels: {app: %[1]s}}, spec: %[2]s}}}",
	"DaemonSet":             "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: %[1]s}, spec: {selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}}, spec: %[2]s}}}",
	"Job":                   "{apiVersion: batch/v1, kind: Job, metadata: {name: %[1]s}, spec: {suspend: true, template: {spec: %[2]s}}}",
	"CronJob":               "{apiVersion: batch/v1, kind: CronJob, metadata: {name: %[1]s}, spec: {suspend: true, schedule: '0 0 1 1 *', jobTemplate: {spec: {template: {spec: %[2]s}}}}}",
	"Pod":                   "{apiVersion: v1, kind: Pod, metadata: {name: %[1]s}, spec: %[2]s}",
}

// before is what keeps a kind from starting something: a scheduling gate, or a scheduler that does
// not exist.
func before(kind string) string {
	switch kind {
	case "Job", "CronJob":
		return "restartPolicy: Never, "
	case "Pod":
		return "restartPolicy: Never, schedulingGates: [{name: polyarch.dev/hold}], "
	case "DaemonSet":
		return "schedulerName: nobody, "
	}
	return ""
}

type answer struct {
	Verdict string
	KeptOff []string
	Node    string
	Because []struct{ Container, Image, Why string }
}

type report struct {
	Platforms []struct {
		All, Movable struct{ Workloads int }
		Blocking     []struct {
			Image     string
			Lies      bool
			Workloads int
		}
	}
	Workloads []struct {
		Kind, Name string
		Containers []struct{ Image, Digest string }
		Answers    []answer
	}
}

type lab struct {
	*cluster.TwoArch
	program, namespace string
}

// run runs inject-affinity in the cluster's network.
func (l *lab) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), l.program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := l.Run(cmd); err != nil {
		t.Fatalf("inject-affinity %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

func (l *lab) survey(t *testing.T, stdin string) map[string]answer {
	t.Helper()
	out := l.run(t, stdin, "--readiness", "linux/arm64", "--verify-binaries", "entrypoint", "--json", "--insecure-registry", l.Registry)
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := map[string]answer{}
	for _, w := range r.Workloads {
		got[w.Kind+"/"+w.Name] = w.Answers[0]
		if w.Name == "live" && (w.Kind != "Deployment" || w.Containers[0].Digest == "") {
			t.Errorf("%+v: the digest that its Pods run is not known", w)
		}
	}
	return got
}

// objects returns what kubectl get would print, a list of each kind.
func (l *lab) objects(t *testing.T, kinds ...string) string {
	t.Helper()
	var all strings.Builder
	for _, path := range kinds {
		b, err := l.Client.CoreV1().RESTClient().Get().AbsPath(strings.ReplaceAll(path, "NS", l.namespace)).Do(t.Context()).Raw()
		if err != nil {
			t.Fatal(err)
		}
		all.Write(append(b, '\n'))
	}
	return all.String()
}

var everything = []string{
	"/apis/apps/v1/namespaces/NS/deployments", "/apis/apps/v1/namespaces/NS/statefulsets", "/apis/apps/v1/namespaces/NS/daemonsets", "/apis/apps/v1/namespaces/NS/replicasets",
	"/apis/batch/v1/namespaces/NS/cronjobs", "/apis/batch/v1/namespaces/NS/jobs", "/api/v1/namespaces/NS/pods", "/api/v1/namespaces/NS/replicationcontrollers",
}

func TestVerdictsAreProved(t *testing.T) {
	c := cluster.StartTwoArch(t)
	l := &lab{TwoArch: c, program: tool.Ours(t, "inject-affinity"), namespace: c.Namespace(t)}
	hello := func(of, says string) cluster.Image {
		path := tool.Build(t, tool.Program{Name: "hello", Module: "../../../samples/hello", Package: ".", Arch: of})
		return cluster.Image{Arch: says, Files: map[string]string{"/hello": path}, Entrypoint: []string{"/hello"}, User: "65532"}
	}
	c.Push(t, "both:1", hello("amd64", "amd64"), hello("arm64", "arm64"))
	// An index: a single amd64 image would be run by the node, whatever it is for.
	c.Push(t, "amd:1", hello("amd64", "amd64"), hello("riscv64", "riscv64"))
	// On the emulated node an amd64 program would run, since it is an amd64 machine: this one runs on neither.
	c.Push(t, "liar:1", hello("amd64", "amd64"), hello("riscv64", "arm64"))

	var manifests strings.Builder
	want := map[string]variant{}
	for kind, form := range kinds {
		for name, v := range variants {
			name := strings.ToLower(kind) + "-" + name
			want[kind+"/"+name] = v
			manifests.WriteString("---\n" + fmt.Sprintf(form, name, v.spec(c.Registry, before(kind))) + "\n")
		}
	}
	manifests.WriteString("---\n" + strings.Replace(fmt.Sprintf(kinds["Deployment"], "live", variant{main: "both"}.spec(c.Registry, "")), "replicas: 0", "replicas: 1", 1) + "\n")
	want["Deployment/live"] = variant{verdict: "ready"}
	c.Apply(t, l.namespace, manifests.String())
	l.await(t, "the live Deployment's Pod", func(ctx context.Context) (bool, error) {
		pods, err := c.Client.CoreV1().Pods(l.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=live"})
		return err == nil && len(pods.Items) > 0 && len(pods.Items[0].Status.ContainerStatuses) > 0 && pods.Items[0].Status.ContainerStatuses[0].ImageID != "", err
	})

	all := l.objects(t, everything...)
	got := l.survey(t, all)
	for name, v := range want {
		a, ok := got[name]
		if !ok || a.Verdict != v.verdict || v.keptOff != "" && !slices.Contains(a.KeptOff, v.keptOff) {
			t.Errorf("%s: %+v, want %s %s", name, a, v.verdict, v.keptOff)
		}
	}
	if len(got) != len(want) || len(got) < 60 {
		t.Errorf("%d workloads, want %d", len(got), len(want))
	}

	// With the nodes in the stream: the emulated node takes what nothing keeps off.
	for name, a := range l.survey(t, all+l.objects(t, "/api/v1/nodes")) {
		v := want[name]
		verdict := v.verdict
		if verdict == "ready" && v.keptOff == "" {
			verdict = "allowed"
		}
		if a.Verdict != verdict || a.Node != "yes" {
			t.Errorf("%s: with nodes: %+v, want %s", name, a, verdict)
		}
	}
	l.prove(t, want)
}

// prove tries each workload on the arm64 node: those that can move after inject-affinity, without the
// rules that keep them off, and those that cannot as they are.
func (l *lab) prove(t *testing.T, want map[string]variant) {
	movable, stuck := strings.Builder{}, strings.Builder{}
	runs := map[string]bool{} // trial → it has to run
	for name, v := range want {
		if v.main == "" || v.verdict == "unknown" {
			continue
		}
		trial := "try-" + strings.ToLower(strings.ReplaceAll(name, "/", "-"))
		to := &stuck
		if runs[trial] = v.verdict == "ready" || v.verdict == "allowed"; runs[trial] {
			to = &movable
		}
		if v.keptOff != "" {
			v.rules = ""
		}
		const pin = "restartPolicy: Never, nodeSelector: {kubernetes.io/hostname: node-2}, "
		to.WriteString("---\n" + fmt.Sprintf(kinds["Pod"], trial, v.spec(l.Registry, pin)) + "\n")
	}
	pinned := l.run(t, movable.String(), "--insecure-registry", l.Registry)
	if n := strings.Count(pinned, "kubernetes.io/arch"); n < strings.Count(movable.String(), "kind: Pod") {
		t.Errorf("inject-affinity pinned %d of the Pods\n%.2000s", n, pinned)
	}
	l.Apply(t, l.namespace, pinned+"\n"+stuck.String())
	pods := map[string]corev1.Pod{}
	l.await(t, "all trials", func(ctx context.Context) (bool, error) {
		list, err := l.Client.CoreV1().Pods(l.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, nil
		}
		open := 0
		for _, p := range list.Items {
			must, trial := runs[p.Name]
			if !trial {
				continue
			}
			pods[p.Name] = p
			if over := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed; !over && (must || failure(p) == "") {
				open++
			}
		}
		return open == 0 && len(pods) == len(runs), nil
	})
	for name, must := range runs {
		p := pods[name]
		why := failure(p)
		switch {
		case must && (p.Status.Phase != corev1.PodSucceeded || p.Spec.NodeName != "node-2"):
			t.Errorf("%s is on %q, %s: %s", name, p.Spec.NodeName, p.Status.Phase, why)
		case must:
			if log := l.log(t, name); !strings.Contains(log, "Running on linux/arm64") {
				t.Errorf("%s says %q", name, log)
			}
		case why == "" || p.Status.Phase == corev1.PodSucceeded:
			t.Errorf("%s was to fail on the arm64 node, and is %s", name, p.Status.Phase)
		case strings.HasSuffix(name, "-blocked") || strings.HasSuffix(name, "-init"):
			if !strings.Contains(why, "mage") {
				t.Errorf("%s fails for another reason: %s", name, why)
			}
		case strings.HasSuffix(name, "-liar"):
			t.Logf("%s fails: %s: %q", name, why, l.log(t, name))
		}
	}
}

// failure says why a container of a Pod cannot run, or "".
func failure(p corev1.Pod) string {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		switch w, d := s.State.Waiting, s.State.Terminated; {
		case w != nil && slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"}, w.Reason):
			return w.Reason + ": " + w.Message
		case d != nil && d.ExitCode != 0:
			return fmt.Sprintf("%s, exit code %d: %s", d.Reason, d.ExitCode, d.Message)
		}
	}
	return ""
}

func (l *lab) log(t *testing.T, pod string) string {
	t.Helper()
	r, err := l.Client.CoreV1().Pods(l.namespace).GetLogs(pod, &corev1.PodLogOptions{Container: "main"}).Stream(t.Context())
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	b, _ := io.ReadAll(io.LimitReader(r, 1<<20))
	return string(b)
}

func (l *lab) await(t *testing.T, what string, done wait.ConditionWithContextFunc) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 500*time.Millisecond, 8*time.Minute, true, done); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

package tekton_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

const helloRepo = "acme/hello"

// From the sample's source to running pods, each on a node of the architecture that it says.
func (b *bench) buildMultiArch(t *testing.T, s *source) {
	s.reset(t)
	b.sample(t, "build-multi-arch", "multi-arch", nil)
	r := b.finished(t, pipelineRuns, "multi-arch")
	if r.status != "True" {
		t.Fatalf("%s: %s", r.reason, r.message)
	}
	digest := b.digest(t, helloRepo+":v1")
	if b.digest(t, helloRepo+":latest") != digest {
		t.Error("the tags v1 and latest are two digests")
	}
	results := r.results()
	repo := b.Registry + "/" + helloRepo
	want := map[string]any{
		"IMAGE_URL": repo + ":v1", "IMAGE_DIGEST": digest, "IMAGE_REF": repo + "@" + digest,
		"IMAGES": results["IMAGES"], "platforms": "linux/amd64,linux/arm64", "missing": "",
	}
	if diff := cmp.Diff(want, results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	b.helloOnBothNodes(t)
}

// The same from a clone of a commit, as Pipelines-as-Code names it, in a volume that is made for the run: the sample's volumeClaimTemplate takes
// the only volume that is free.
func (b *bench) buildMultiArchGit(t *testing.T, s *source) {
	folder := t.TempDir()
	openToAll(t, folder)
	b.Apply(t, b.namespace, strings.ReplaceAll(freeVolume, "{path}", folder))
	b.sample(t, "build-multi-arch-git", "multi-arch-git", map[string]any{
		"url": s.url, "revision": s.head(t), "tag": []any{"git"}, "git-image": b.Registry + "/" + gitImage,
	})
	if r := b.finished(t, pipelineRuns, "multi-arch-git"); r.status != "True" {
		t.Fatalf("%s: %s", r.reason, r.message)
	}
	b.helloOnBothNodes(t)
}

// helloOnBothNodes waits until the DaemonSet of the sample, which has a pod on every node, and its
// Deployment run, and reads what their pods say.
func (b *bench) helloOnBothNodes(t *testing.T) {
	t.Helper()
	want := map[string]string{"node-1": "Hello world! Running on linux/amd64\n", "node-2": "Hello world! Running on linux/arm64\n"}
	agents := b.running(t, "app=hello-agent", 2)
	got := map[string]string{}
	for _, pod := range append(agents, b.running(t, "app=hello", 2)...) {
		log := b.said(t, pod)
		if log != want[pod.Spec.NodeName] {
			t.Errorf("pod %s on %s says %q", pod.Name, pod.Spec.NodeName, log)
		}
		got[pod.Spec.NodeName] = log
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the nodes run (-want +got):\n%s", diff)
	}
}

// said is the first container's log, once there is one: a pod runs before its program has printed
// anything.
func (b *bench) said(t *testing.T, pod corev1.Pod) string {
	t.Helper()
	var log string
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		log = b.log(t, pod.Name, pod.Spec.Containers[0].Name)
		return log != "", nil
	})
	if err != nil {
		t.Errorf("waiting for pod %s to say something: %v", pod.Name, err)
	}
	return log
}

// An image of one platform only: the Deployment would spread over both nodes, and must not.
func (b *bench) amd64Only(t *testing.T, s *source) {
	s.reset(t)
	b.sample(t, "build-multi-arch", "amd64-only", map[string]any{
		"platform": []any{"linux/amd64"}, "tag": []any{"amd64-only"}, "manifests": "samples/hello/k8s/deployment.yaml",
	})
	if r := b.finished(t, pipelineRuns, "amd64-only"); r.status != "True" {
		t.Fatalf("%s: %s", r.reason, r.message)
	}
	for _, pod := range b.running(t, "app=hello", 2) {
		if pod.Spec.NodeName != "node-1" {
			t.Errorf("pod %s of an amd64-only image is on %s", pod.Name, pod.Spec.NodeName)
		}
	}
}

// A platform that no node has ends the run where it is noticed, with a sentence that says so.
func (b *bench) platformThatNoNodeHas(t *testing.T, s *source) {
	s.reset(t)
	b.sample(t, "build-multi-arch", "s390x", map[string]any{"platform": []any{"linux/s390x"}, "tag": []any{"s390x"}})
	if r := b.finished(t, pipelineRuns, "s390x"); r.status != "False" {
		t.Errorf("the run ended with %s", r.reason)
	}
	b.failedWith(t, b.legs(t, "s390x", "detect"), 3, "linux/s390x")
	if legs := b.legs(t, "s390x", "build"); len(legs) > 0 {
		t.Errorf("%d legs were built", len(legs))
	}

	// An image that is there already, of such a platform: its manifests are not written.
	b.Apply(t, b.namespace, `apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: inject-s390x}
spec:
  taskRef: {name: inject-affinity}
  params:
  - {name: manifests, value: [samples/hello/k8s]}
  - {name: image, value: ["hello=registry.example.com/acme/hello:v1;linux/s390x"]}
  - {name: cluster-platforms, value: [linux/amd64, linux/arm64]}
  workspaces: [{name: source, persistentVolumeClaim: {claimName: source}}]
`)
	r := b.finished(t, taskRuns, "inject-s390x")
	b.failedWith(t, []run{r}, 3, "linux/s390x")
	for _, file := range []string{"deployment.yaml", "pod.yaml"} {
		if got, want := readFile(t, s.volume, file), readFile(t, repository(), file); got != want {
			t.Errorf("%s was written", file)
		}
	}
}

func readFile(t *testing.T, root, manifest string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "samples/hello/k8s", manifest))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// failedWith checks that one TaskRun failed, with this exit code and a message that names
// what.
func (b *bench) failedWith(t *testing.T, runs []run, code int32, what string) {
	t.Helper()
	if len(runs) != 1 || runs[0].status != "False" {
		t.Fatalf("%d TaskRuns, want one that failed", len(runs))
	}
	pod, err := b.Client.CoreV1().Pods(b.namespace).Get(t.Context(), runs[0].object.GetName()+"-pod", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := pod.Status.ContainerStatuses[0].State.Terminated.ExitCode; got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
	if log := b.log(t, pod.Name, pod.Spec.Containers[0].Name); !strings.Contains(log, "error: ") || !strings.Contains(log, what) {
		t.Errorf("it says %q, want an error about %s", log, what)
	}
}

// Each leg clones for itself and runs on a node of the architecture that it builds for. The branch moves,
// to a commit that no leg could build and whose manifests are invalid, as soon as the run knows its own:
// everything is from that one commit.
func (b *bench) buildNative(t *testing.T, s *source) {
	meant := s.head(t)
	s.lookedUp <- func() {
		s.commit(t, "samples/hello/broken.go", "package main\n\nvar _ = broken\n")
		s.commit(t, "samples/hello/k8s/deployment.yaml", "no manifest\n")
	}
	b.sample(t, "build-native", "native", map[string]any{
		"url": s.url, "tag": []any{"native"}, "git-image": b.Registry + "/" + gitImage,
	})
	if r := b.finished(t, pipelineRuns, "native"); r.status != "True" {
		t.Fatalf("%s: %s", r.reason, r.message)
	}
	if now := s.head(t); now == meant || len(s.lookedUp) > 0 {
		t.Errorf("the branch did not move: it is at %s", now)
	}
	r := b.finished(t, pipelineRuns, "native")
	for name, want := range map[string]string{"commit": meant, "url": s.url, "CHAINS-GIT_COMMIT": meant, "CHAINS-GIT_URL": s.url} {
		if got := r.results()[name]; got != want {
			t.Errorf("result %s is %v, want %s", name, got, want)
		}
	}
	legs := b.legs(t, "native", "build")
	got := map[string]string{}
	for _, leg := range legs {
		pod, err := b.Client.CoreV1().Pods(b.namespace).Get(t.Context(), leg.object.GetName()+"-pod", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		source, _ := leg.results()["source"].(string)
		_, platform, _ := strings.Cut(source, "=")
		got[platform] = pod.Spec.NodeName
		if commit := leg.param("commit"); commit != meant {
			t.Errorf("the leg for %s built %s, want %s", platform, commit, meant)
		}
	}
	if diff := cmp.Diff(map[string]string{"linux/amd64": "node-1", "linux/arm64": "node-2"}, got); diff != "" {
		t.Errorf("where the legs ran (-want +got):\n%s", diff)
	}
	b.helloOnBothNodes(t)
}

// If a leg fails, the result of the other is still visible, and nothing is stitched.
func (b *bench) failingLeg(t *testing.T, s *source) {
	s.reset(t)
	if err := os.WriteFile(filepath.Join(s.volume, "samples/hello/broken_arm64.go"), []byte("package main\n\nvar _ = broken\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.sample(t, "build-multi-arch", "broken", map[string]any{"tag": []any{"broken"}})
	if r := b.finished(t, pipelineRuns, "broken"); r.status != "False" {
		t.Errorf("the run ended with %s", r.reason)
	}
	got := map[string]string{}
	for _, leg := range b.legs(t, "broken", "build") {
		got[leg.param("platform")] = leg.status
	}
	if diff := cmp.Diff(map[string]string{"linux/amd64": "True", "linux/arm64": "False"}, got); diff != "" {
		t.Errorf("legs (-want +got):\n%s", diff)
	}
	b.nothingStitched(t, "broken")
}

// A run that is cancelled while its legs build leaves nothing half done.
func (b *bench) cancelledRun(t *testing.T, s *source) {
	s.reset(t)
	b.sample(t, "build-multi-arch", "cancelled", map[string]any{"tag": []any{"cancelled"}})
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		for _, leg := range b.legs(t, "cancelled", "build") {
			pod, err := b.Client.CoreV1().Pods(b.namespace).Get(ctx, leg.object.GetName()+"-pod", metav1.GetOptions{})
			if err == nil && pod.Status.Phase == corev1.PodRunning {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		t.Fatalf("waiting for a leg to run: %v", err)
	}
	cancel := []byte(`{"spec": {"status": "Cancelled"}}`)
	if _, err := b.dynamic.Resource(pipelineRuns).Namespace(b.namespace).Patch(t.Context(), "cancelled", types.MergePatchType, cancel, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if r := b.finished(t, pipelineRuns, "cancelled"); r.reason != "Cancelled" {
		t.Errorf("the run ended with %s: %s", r.reason, r.message)
	}
	b.nothingStitched(t, "cancelled")
}

// nothingStitched checks that a run moved no tag and did nothing of what follows the build. The name
// of the run is the tag.
func (b *bench) nothingStitched(t *testing.T, run string) {
	t.Helper()
	for _, task := range []string{"stitch", "inject", "deploy"} {
		if runs := b.legs(t, run, task); len(runs) > 0 {
			t.Errorf("the task %s was run", task)
		}
	}
	ref, err := name.NewTag(b.Registry+"/"+helloRepo+":"+run, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	_, err = remote.Head(ref, remote.WithTransport(b.Transport), remote.WithContext(t.Context()))
	var refused *transport.Error
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusNotFound {
		t.Errorf("looking for the tag %s: %v, want a 404", run, err)
	}
}

// running waits until that many pods with the label run and no other is left, and returns
// them.
func (b *bench) running(t *testing.T, label string, want int) []corev1.Pod {
	t.Helper()
	var pods []corev1.Pod
	err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		list, err := b.Client.CoreV1().Pods(b.namespace).List(ctx, metav1.ListOptions{LabelSelector: label})
		if err != nil {
			return false, err
		}
		pods = list.Items
		for _, pod := range pods {
			if pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil {
				return false, nil
			}
		}
		return len(pods) == want, nil
	})
	if err != nil {
		for _, pod := range pods {
			t.Logf("pod %s on %s: %s %v", pod.Name, pod.Spec.NodeName, pod.Status.Phase, pod.Status.ContainerStatuses)
		}
		t.Fatalf("waiting for %d pods with %s to run: %v", want, label, err)
	}
	return pods
}

// undeploy takes the sample out of the cluster, so that the next run starts from nothing.
func (b *bench) undeploy(t *testing.T) {
	t.Helper()
	now := int64(0)
	background := metav1.DeletePropagationBackground
	options, all := metav1.DeleteOptions{GracePeriodSeconds: &now, PropagationPolicy: &background}, metav1.ListOptions{}
	err := errors.Join(
		b.Client.AppsV1().Deployments(b.namespace).DeleteCollection(t.Context(), options, all),
		b.Client.AppsV1().DaemonSets(b.namespace).DeleteCollection(t.Context(), options, all),
		b.Client.BatchV1().CronJobs(b.namespace).DeleteCollection(t.Context(), options, all),
		b.Client.CoreV1().Pods(b.namespace).DeleteCollection(t.Context(), options, metav1.ListOptions{LabelSelector: "!tekton.dev/taskRun"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	b.running(t, "app in (hello, hello-agent)", 0)
}

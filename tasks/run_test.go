package tasks

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"github.com/tektoncd/pipeline/pkg/result"
	"github.com/tektoncd/pipeline/pkg/substitution"
	"github.com/tektoncd/pipeline/pkg/termination"

	"github.com/polyarch/polyarch/internal/cluster/clustertest"
	"github.com/polyarch/polyarch/internal/imagetest"
)

// A taskRun runs the steps of a Task that are ours, on this machine, with the
// arguments that Tekton would give them, and reads the results.
type taskRun struct {
	task       string
	params     map[string]any    // string or []string; the rest have their defaults
	workspaces map[string]string // name to folder; the rest are not bound
	env        []string
}

// run returns the results, and what the step that failed said.
func (r taskRun) run(t *testing.T) (results map[string]string, stderr string, err error) {
	t.Helper()
	spec := r.find(t)
	dir := t.TempDir()
	texts := map[string]string{}
	arrays := map[string][]string{}
	for _, p := range spec.Params {
		value := any(r.params[p.Name])
		if value == nil && p.Default != nil && p.Default.Type == v1.ParamTypeArray {
			value = p.Default.ArrayVal
		} else if value == nil && p.Default != nil {
			value = p.Default.StringVal
		}
		switch value := value.(type) {
		case string:
			texts["params."+p.Name] = value
		case []string:
			arrays["params."+p.Name] = value
		default:
			t.Fatalf("Task %s: param %s is not given", r.task, p.Name)
		}
	}
	for _, w := range spec.Workspaces {
		texts["workspaces."+w.Name+".path"] = r.workspaces[w.Name]
	}
	for _, res := range spec.Results {
		texts["results."+res.Name+".path"] = filepath.Join(dir, res.Name)
	}
	for _, s := range spec.Steps {
		var args []string
		for _, a := range s.Args {
			args = append(args, substitution.ApplyArrayReplacements(strings.ReplaceAll(a, "/tekton/home", dir), texts, arrays)...)
		}
		cmd := exec.Command(filepath.Join(bin, binary(s)), args...)
		cmd.Dir = substitution.ApplyReplacements(s.WorkingDir, texts)
		cmd.Env = slices.Clone(r.env)
		for _, e := range s.Env {
			cmd.Env = append(cmd.Env, e.Name+"="+strings.ReplaceAll(substitution.ApplyReplacements(e.Value, texts), "/tekton/home", dir))
		}
		var said strings.Builder
		cmd.Stderr = &said
		if err = cmd.Run(); err != nil {
			return files(spec, dir), said.String(), err
		}
	}
	return files(spec, dir), "", nil
}

// files returns the results that were written.
func files(spec v1.TaskSpec, dir string) map[string]string {
	results := map[string]string{}
	for _, res := range spec.Results {
		if b, err := os.ReadFile(filepath.Join(dir, res.Name)); err == nil {
			results[res.Name] = string(b)
		}
	}
	return results
}

func (r taskRun) find(t *testing.T) v1.TaskSpec {
	t.Helper()
	for _, d := range documents(t) {
		if task, ok := d.object.(*v1.Task); ok && task.Name == r.task {
			return task.Spec
		}
	}
	t.Fatalf("there is no Task %s", r.task)
	return v1.TaskSpec{}
}

// bin is the folder with our programs.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "polyarch-tasks-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		if out, err := exec.Command("go", "build", "-C", "..", "-o", bin+"/", "./cmd/...").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// message returns what Tekton's entrypoint writes for these results, which fails
// when it is longer than a termination message may be.
func message(t *testing.T, results map[string]string) int {
	t.Helper()
	list := []result.RunResult{{Key: "StartedAt", Value: "2006-01-02T15:04:05.000Z", ResultType: result.InternalTektonResultType}}
	for name, value := range results {
		list = append(list, result.RunResult{Key: name, Value: value, ResultType: result.TaskRunResultType})
	}
	path := filepath.Join(t.TempDir(), "termination")
	if err := termination.WriteMessage(path, list); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

var eight = []string{
	"linux/386", "linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64", "linux/ppc64le", "linux/riscv64", "linux/s390x",
}

func TestStitchIndexTask(t *testing.T) {
	server := httptest.NewServer(imagetest.NewRegistry())
	defer server.Close()
	repo := strings.TrimPrefix(server.URL, "http://") + "/some-organisation/some-application"
	var sources, images []string
	for _, p := range eight {
		ref := repo + ":v1_" + strings.ReplaceAll(p, "/", "_")
		d, err := imagetest.App(p, imagetest.Arch(p), "hello").Push(ref)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, fmt.Sprintf("%s@%s=%s", ref, d, p))
		images = append(images, fmt.Sprintf("%s@%s", repo, d))
	}
	run := taskRun{task: "stitch-index", params: map[string]any{"image": repo, "tag": []string{"v1", "latest"}, "sources": sources}}
	results, stderr, err := run.run(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	digest := results["IMAGE_DIGEST"]
	want := map[string]string{
		"IMAGE_URL": repo + ":v1", "IMAGE_DIGEST": digest, "IMAGE_REF": repo + "@" + digest,
		"IMAGES": strings.Join(images, ","), "platforms": strings.Join(eight, ","), "missing": "",
	}
	if d := cmp.Diff(want, results); d != "" || !strings.HasPrefix(digest, "sha256:") {
		t.Error(d)
	}
	if n := message(t, results); n > 2048 {
		t.Errorf("the results of eight platforms take %d bytes of a termination message, more than half of it", n)
	}

	other, err := imagetest.App("linux/amd64", "amd64", "another").Push(repo + ":other")
	if err != nil {
		t.Fatal(err)
	}
	run.params["sources"] = append(sources, repo+"@"+other.String())
	results, stderr, err = run.run(t)
	if err == nil || len(results) > 0 {
		t.Errorf("a platform given twice: %v, results %v\n%s", err, results, stderr)
	}
}

// TestBuildImageTask runs a leg with a command that leaves an image, in the
// place of a builder, and stitches what the leg says.
func TestBuildImageTask(t *testing.T) {
	server := httptest.NewServer(imagetest.NewRegistry())
	defer server.Close()
	repo := strings.TrimPrefix(server.URL, "http://") + "/app"
	img, err := imagetest.App("linux/arm64", "arm64", "hello").Build()
	if err != nil {
		t.Fatal(err)
	}
	source := t.TempDir()
	path, err := layout.Write(filepath.Join(source, "built"), empty.Index)
	if err == nil {
		err = path.AppendImage(img)
	}
	if err != nil {
		t.Fatal(err)
	}
	leg := taskRun{
		task: "build-image", workspaces: map[string]string{"source": source}, env: []string{"PATH=" + os.Getenv("PATH")},
		params: map[string]any{"image": repo, "tag": []string{"v1", "latest"}, "platform": "linux/arm64", "command": []string{"sh", "-c", `cp -R built/. "$OCI_LAYOUT"`}},
	}
	results, stderr, err := leg.run(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"IMAGE_URL": repo + ":v1_linux_arm64", "IMAGE_DIGEST": digest.String(),
		"source": repo + ":v1_linux_arm64@" + digest.String() + "=linux/arm64",
	}
	if d := cmp.Diff(want, results); d != "" {
		t.Error(d)
	}
	stitched, stderr, err := taskRun{task: "stitch-index", params: map[string]any{"image": repo, "tag": []string{"v1"}, "sources": []string{results["source"]}}}.run(t)
	if err != nil || stitched["platforms"] != "linux/arm64" {
		t.Errorf("%v, results %v\n%s", err, stitched, stderr)
	}

	leg.params["platform"] = "linux/amd64"
	results, stderr, err = leg.run(t)
	if err == nil || len(results) > 0 || !strings.Contains(stderr, "linux/arm64") {
		t.Errorf("an image for another platform: %v, results %v\n%s", err, results, stderr)
	}

	// Where that may fail, the leg hands the gap over, and the index says it.
	leg.params["optional"] = []string{"linux/amd64"}
	gap, stderr, err := leg.run(t)
	if err != nil || gap["source"] != "=linux/amd64?" || gap["IMAGE_URL"] != "" {
		t.Fatalf("%v, results %v\n%s", err, gap, stderr)
	}
	stitched, stderr, err = taskRun{task: "stitch-index", params: map[string]any{"image": repo, "tag": []string{"v2"}, "sources": []string{stitched["IMAGE_REF"], gap["source"]}}}.run(t)
	if err != nil || stitched["platforms"] != "linux/arm64" || stitched["missing"] != "linux/amd64" {
		t.Errorf("%v, results %v\n%s", err, stitched, stderr)
	}
}

// The Task with gates judges what it has made before a tag names it.
func TestStitchIndexGatedTask(t *testing.T) {
	server := httptest.NewServer(imagetest.NewRegistry())
	defer server.Close()
	repo := strings.TrimPrefix(server.URL, "http://") + "/app"
	if _, err := imagetest.App("linux/arm64", "arm64", "text").Push(repo + ":arm64"); err != nil {
		t.Fatal(err)
	}
	source := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "sbom.json"), []byte(`{"purl":"pkg:deb/debian/libc6@2.36?arch=arm64"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	run := taskRun{
		task: "stitch-index-gated", workspaces: map[string]string{"source": source}, env: []string{"PATH=" + os.Getenv("PATH")},
		params: map[string]any{
			"image": repo, "tag": []string{"v1"}, "sources": []string{repo + ":arm64"},
			"attach": []string{"linux/arm64:application/spdx+json=sbom.json"}, "gate": []string{`echo "$IMAGE_linux_arm64" > seen`, "grep -q arm64 \"$IMAGE_JSON\"\nexit 7"},
		},
	}
	if results, stderr, err := run.run(t); err == nil || len(results) > 0 || !strings.Contains(stderr, "exit status 7: no tag was moved") {
		t.Errorf("%v, results %v\n%s", err, results, stderr)
	}
	run.params["gate"] = []string{`echo "$IMAGE_linux_arm64" > seen`}
	results, stderr, err := run.run(t)
	seen, _ := os.ReadFile(filepath.Join(source, "seen"))
	if err != nil || results["platforms"] != "linux/arm64" || strings.TrimSpace(string(seen)) != results["IMAGES"] {
		t.Errorf("%v, results %v, the gate saw %s\n%s", err, results, seen, stderr)
	}
}

func TestDetectArchTask(t *testing.T) {
	var nodes []map[string]any
	for i, p := range eight {
		parts := strings.Split(p, "/")
		nodes = append(nodes, clustertest.Node(fmt.Sprintf("node-%d", i), parts[0], parts[1]))
	}
	folder := t.TempDir() // as a Secret is mounted
	kubeconfig := clustertest.Kubeconfig(t, "test="+clustertest.Start(t, nodes...).URL)
	if err := os.Rename(kubeconfig, filepath.Join(folder, "kubeconfig")); err != nil {
		t.Fatal(err)
	}
	results, stderr, err := taskRun{task: "detect-arch", workspaces: map[string]string{"kubeconfig": folder}}.run(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	want := map[string]string{
		"platforms": `["linux/386","linux/amd64","linux/arm","linux/arm64","linux/ppc64le","linux/riscv64","linux/s390x"]`,
		"arches":    `["386","amd64","arm","arm64","ppc64le","riscv64","s390x"]`,
		"mixed":     "true", "count": "7", "taints": "[]",
	}
	if d := cmp.Diff(want, results); d != "" {
		t.Error(d)
	}
	if n := message(t, results); n > 1024 {
		t.Errorf("the results of seven platforms take %d bytes of a termination message, more than a quarter of it", n)
	}

	lacks := taskRun{task: "detect-arch", workspaces: map[string]string{"kubeconfig": folder}, params: map[string]any{"platform": []string{"linux/amd64", "linux/loong64"}}}
	results, stderr, err = lacks.run(t)
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 3 || len(results) > 0 || !strings.Contains(stderr, "linux/loong64") {
		t.Errorf("a platform that no node has: %v, results %v\n%s", err, results, stderr)
	}
	if _, stderr, err := (taskRun{task: "detect-arch"}).run(t); err == nil || !strings.Contains(stderr, "this is no pod") {
		t.Errorf("without a cluster: %v\n%s", err, stderr)
	}
}

func TestInjectAffinityTask(t *testing.T) {
	source := t.TempDir()
	manifest, err := os.ReadFile("../samples/hello/k8s/pod.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(source, "k8s"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(source, "k8s", "pod.yaml")
	if err := os.WriteFile(path, manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	digest := "sha256:" + strings.Repeat("0", 64)
	run := taskRun{task: "inject-affinity", workspaces: map[string]string{"source": source}, params: map[string]any{
		"manifests":         []string{"k8s"},
		"image":             []string{"hello=registry.example.com/hello:v1@" + digest + ";linux/amd64,linux/arm64"},
		"cluster-platforms": []string{"linux/amd64", "linux/arm64"},
		"taints":            []string{"kubernetes.io/arch=arm64:NoSchedule"},
	}}
	results, stderr, err := run.run(t)
	if err != nil || results["changed"] != "1" {
		t.Fatalf("%v, results %v\n%s", err, results, stderr)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"image: registry.example.com/hello:v1@" + digest, "kubernetes.io/arch", "tolerations"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
}

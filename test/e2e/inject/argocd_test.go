package inject_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// A plugin is what Argo CD's cmp-server reads of its plugin.yaml (cmpserver/plugin/config.go).
type plugin struct {
	Spec struct {
		Generate struct{ Command, Args []string }
	}
}

// generate runs a plugin as Argo CD does: as uid 999, in the application's folder, with nothing in
// standard output but manifests.
func generate(t *testing.T, file, app string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository(), "catalog", "argocd", file))
	if err != nil {
		t.Fatal(err)
	}
	var p plugin
	if err := yaml.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	argv := append(p.Spec.Generate.Command, p.Spec.Generate.Args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = app
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 999, Gid: 999}}
	home, err := os.MkdirTemp(filepath.Dir(app), "home-") // t.TempDir is closed to other users
	if err == nil {
		err = os.Chown(home, 999, 999)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home}
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", file, err, errs.String())
	}
	return string(out)
}

func TestArgoCDPlugins(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("Argo CD runs plugins as another user, which takes root")
	}
	shared, err := os.MkdirTemp("/var/tmp", "argocd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(shared) })
	if err := os.Chmod(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"inject-affinity": program(t), "kustomize": tool.Build(t, tool.Kustomize)} {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(shared, name), b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", shared+":/usr/bin:/bin")
	host := registryWithHello(t)
	manifest := "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: hello\nspec:\n  selector: {matchLabels: {app: hello}}\n  template:\n    metadata: {labels: {app: hello}}\n    spec:\n      containers:\n      - name: a\n        image: " + host + "/hello:v1\n"
	app := filepath.Join(shared, "app")
	if err := os.MkdirAll(filepath.Join(app, "more"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"app.yaml": manifest, "more/job.yaml": strings.ReplaceAll(manifest, "name: hello", "name: other")} {
		if err := os.WriteFile(filepath.Join(app, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := objects(t, generate(t, "folder.yaml", app))
	if o["Deployment hello"].pinned() != pinned || o["Deployment other"].pinned() != pinned {
		t.Errorf("folder.yaml: %+v", o)
	}
	if err := os.WriteFile(filepath.Join(app, "kustomization.yaml"), []byte("resources: [app.yaml]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	o = objects(t, generate(t, "plugin.yaml", app))
	if o["Deployment hello"].pinned() != pinned || len(o) != 1 {
		t.Errorf("plugin.yaml: %+v", o)
	}
}

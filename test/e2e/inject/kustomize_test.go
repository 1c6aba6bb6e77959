package inject_test

import (
	"path/filepath"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

func TestKustomizeTransformer(t *testing.T) {
	program(t)
	kustomize := tool.Build(t, tool.Kustomize)
	sample := filepath.Join(repository(), "catalog", "kustomize", "sample")
	got := run(t, "", kustomize, "build", "--enable-alpha-plugins", "--enable-exec", sample)
	o := objects(t, got)
	if p := o["Deployment hello"].pinned(); p != pinned || len(o) != 2 {
		t.Errorf("the Deployment is pinned to %q in\n%s", p, got)
	}
	run(t, got, "inject-affinity", "--check", "--offline", built)

	// What kustomize does not run, --check finds.
	skipped, errs, err := try("", kustomize, "build", "--enable-alpha-plugins", sample)
	if err != nil {
		t.Logf("without --enable-exec kustomize fails: %v\n%s", err, errs)
		return
	}
	if _, _, err := try(skipped, "inject-affinity", "--check", "--offline", built); err == nil {
		t.Errorf("kustomize skipped the function, and the check found nothing in\n%s", skipped)
	}
}

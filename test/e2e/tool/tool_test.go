package tool_test

import (
	"os/exec"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

func TestBuildIsKept(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	p := tool.Tekton("nop")
	first := tool.Build(t, p)
	second, err := p.Build(t.Context(), func(string, ...any) { t.Error("the second time it was built again") })
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Errorf("Build gave %s, then %s", first, second)
	}
	if out, err := exec.Command(first).CombinedOutput(); err != nil {
		t.Errorf("running %s: %v\n%s", first, err, out)
	}
}

func TestBuildOfWhatIsNotThere(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	p := tool.Program{Name: "x", Module: "hyperkube", Package: "./x"}
	if path, err := p.Build(t.Context(), t.Logf); err == nil {
		t.Errorf("Build of a package that does not exist gave %s", path)
	}
	p.Version = "example.com/not/required"
	if path, err := p.Build(t.Context(), t.Logf); err == nil {
		t.Errorf("Build of a module that go.mod does not require gave %s", path)
	}
}

package builders

import (
	"os"
	"path/filepath"
	"testing"
)

const bazelDir = lab + "/workspace"

// bazelProject is the workspace, which has a target for each kind; the folder stays, with Bazel's server.
func bazelProject(t *testing.T, k kind) project {
	t.Helper()
	if _, err := os.Stat(bazelDir); err != nil {
		if err := os.CopyFS(bazelDir, os.DirFS(filepath.Join(root(), "test/e2e/builders/testdata/bazel"))); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(bazelDir+"/bazelrc", bazelDir+"/.bazelrc"); err != nil {
			t.Fatal(err)
		}
		write(t, bazelDir+"/WORKSPACE", "")
		if err := copyFile(filepath.Join(root(), "samples/hello/main.go"), bazelDir+"/main.go"); err != nil {
			t.Fatal(err)
		}
	}
	target := map[kind]string{good: "//:good", broken: "//:broken.tar", wrong: "//:wrong.tar", endless: "//:endless.tar"}[k]
	return project{context: bazelDir, args: []string{"--target", target}, waits: sleeps}
}

package tekton_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// pushKo stands in for ko's image: ko, this machine's Go, a shell. The programs are amd64 on both
// nodes; what they build is not.
func (b *bench) pushKo(t *testing.T) {
	t.Helper()
	files := goToolchain(t)
	files["/ko-app/ko"] = tool.Build(t, tool.Ko)
	files["/gocache"] = compiled(t)
	shell(t, files)
	b.Push(t, koImage, cluster.Image{
		Arch:       "amd64",
		Files:      files,
		Entrypoint: []string{"/ko-app/ko"},
		Env:        []string{"PATH=/ko-app:/usr/local/go/bin:/bin", "GOTOOLCHAIN=local", "GOPROXY=off", "GOCACHE=/gocache"},
	})
	var bases []cluster.Image
	for _, arch := range []string{"amd64", "arm64"} {
		bases = append(bases, cluster.Image{Arch: arch, User: "65532"})
	}
	b.Push(t, "static:1", bases...)
}

const koImage = "ko-build/ko:v0.19.1"

// compiled is a cache of Go's that has the standard library's part in the sample, for both
// platforms: compiling it takes a minute in which nothing of ours is tested.
func compiled(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "polyarch", "sample-"+runtime.Version())
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", os.DevNull, ".")
		cmd.Dir = filepath.Join(repository(), "samples/hello")
		cmd.Env = append(os.Environ(), "GOCACHE="+dir, "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("compiling the sample for %s: %v\n%s", arch, err, out)
		}
	}
	openToAll(t, dir)
	return dir
}

// goToolchain is what `go build` needs, at /usr/local/go.
func goToolchain(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSpace(string(out))
	files := map[string]string{}
	for _, top := range []string{"VERSION", "go.env", "bin/go", "pkg/include", "pkg/tool", "src"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || path == filepath.Join(root, "src/cmd")) {
				return fs.SkipDir
			}
			if d.Type().IsRegular() && !strings.HasSuffix(path, "_test.go") {
				rel, _ := filepath.Rel(root, path)
				files["/usr/local/go/"+rel] = path
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// shell adds what a step's script needs.
func shell(t *testing.T, files map[string]string) {
	t.Helper()
	root, err := tool.Debian(t.Context(), t.Logf, "amd64", "busybox-static")
	if err != nil {
		t.Fatal(err)
	}
	files["/bin/busybox"] = filepath.Join(root, "bin/busybox")
	for _, applet := range []string{"sh", "cat", "cp", "ls", "mkdir", "mv", "printf", "rm", "sed", "tr"} {
		files["/bin/"+applet] = "-> /bin/busybox"
	}
}

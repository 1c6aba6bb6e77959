package builders

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// golang stands in for Docker Hub's golang image: the layer of an image with this machine's Go, as
// much of it as compiling samples/hello takes, and a build cache that is warm, since these tests are
// about builders and not about compiling net/http. It is kept in the user's cache folder.
func golang(ctx context.Context, logf func(string, ...any)) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "polyarch", "golang-"+runtime.Version()+".tar.gz")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	logf("making %s", path)
	dir, err := os.MkdirTemp("", "polyarch-golang-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := golangRoot(ctx, dir); err != nil {
		return "", fmt.Errorf("making a golang image: %w", err)
	}
	if _, err := output(ctx, dir, "tar", "-c", "--sort=name", "--gzip", "-f", path+".part", "root", "tmp", "usr"); err != nil {
		return "", err
	}
	return path, os.Rename(path+".part", path)
}

func golangRoot(ctx context.Context, dir string) error {
	goroot, err := output(ctx, "", "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	sample := filepath.Join(root(), "samples/hello")
	packages := map[string]bool{"runtime/cgo": true} // its headers
	for _, arch := range []string{"amd64", "arm64"} {
		list, err := output(ctx, sample, "env", "GOOS=linux", "GOARCH="+arch, "go", "list", "-deps", "-f", "{{if .Standard}}{{.ImportPath}}{{end}}", ".")
		if err != nil {
			return err
		}
		for _, p := range strings.Fields(list) {
			packages[p] = true
		}
	}
	tools := "pkg/tool/linux_" + runtime.GOARCH + "/"
	files := []string{"bin/go", "VERSION", "go.env", tools + "compile", tools + "asm", tools + "link", "src/go.mod", "src/go.sum", "src/vendor/modules.txt"}
	for p := range packages {
		entries, err := os.ReadDir(filepath.Join(goroot, "src", p))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Type().IsRegular() && !strings.HasSuffix(e.Name(), "_test.go") {
				files = append(files, filepath.Join("src", p, e.Name()))
			}
		}
	}
	for _, f := range files {
		if err := copyFile(filepath.Join(goroot, f), filepath.Join(dir, "usr/local/go", f)); err != nil {
			return err
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "usr/local/go/pkg/include"), os.DirFS(filepath.Join(goroot, "pkg/include"))); err != nil {
		return err
	}
	return warm(ctx, dir, sample)
}

// warm compiles the sample in the image as its Dockerfile does.
func warm(ctx context.Context, dir, sample string) error {
	for _, d := range []string{"src", "dev", "tmp", "root"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o777); err != nil {
			return err
		}
	}
	null := 1<<8 | 3 // its device numbers
	if err := syscall.Mknod(filepath.Join(dir, "dev/null"), syscall.S_IFCHR|0o666, null); err != nil {
		return err
	}
	for _, f := range []string{"go.mod", "main.go"} {
		if err := copyFile(filepath.Join(sample, f), filepath.Join(dir, "src", f)); err != nil {
			return err
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		_, err := output(ctx, dir, "env", "-i", "HOME=/root", "PATH=/usr/local/go/bin", "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOTOOLCHAIN=local", "GOROOT=/usr/local/go",
			"/usr/sbin/chroot", dir, "/usr/local/go/bin/go", "build", "-C", "/src", "-trimpath", "-ldflags=-s -w", "-o", "/src/hello", ".")
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(from); err == nil {
		mode = info.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, mode)
}

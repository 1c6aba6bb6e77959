// Package actions_test runs the scripts of the GitHub actions with the bash
// that a runner has: 3.2 on macOS, Git's on Windows.
package actions_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type result struct {
	code        int
	out, errors string
}

// bash runs a script of this folder with nothing of our environment but PATH.
func bash(t *testing.T, env []string, script string, args ...string) result {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash here")
	}
	path, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", append([]string{filepath.ToSlash(path)}, args...)...)
	cmd.Dir = t.TempDir()
	for _, name := range []string{"PATH", "HOME", "SYSTEMROOT", "TEMP", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "LOCALAPPDATA", "USERPROFILE"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var code *exec.ExitError
	if err != nil && !errors.As(err, &code) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// A release is what a server offers, by name.
type release struct {
	files    map[string][]byte
	requests atomic.Int32
}

func (r *release) serve(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.requests.Add(1)
		b, ok := r.files[strings.TrimPrefix(req.URL.Path, "/v1.2.3/")]
		if !ok {
			http.NotFound(w, req)
			return
		}
		w.Write(b)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// fake is a program that prints its arguments, each in brackets.
const fake = "#!/bin/sh\nfor a; do printf '[%s]\\n' \"$a\"; done\n"

func newRelease(t *testing.T, goos, arch string) *release {
	t.Helper()
	var b bytes.Buffer
	name := "polyarch_v1.2.3_" + goos + "_" + arch
	var err error
	if goos == "windows" {
		name += ".zip"
		w := zip.NewWriter(&b)
		f, e := w.Create("detect-arch.exe")
		if e != nil {
			t.Fatal(e)
		}
		f.Write([]byte(fake))
		err = w.Close()
	} else {
		name += ".tar.gz"
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		w.WriteHeader(&tar.Header{Name: "detect-arch", Mode: 0o755, Size: int64(len(fake))})
		w.Write([]byte(fake))
		err = errors.Join(w.Close(), z.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x  %s\n%x  %s.sbom\n", sha256.Sum256(b.Bytes()), name, sha256.Sum256(nil), name)
	return &release{files: map[string][]byte{name: b.Bytes(), "checksums.txt": []byte(sum)}}
}

func TestInstall(t *testing.T) {
	for runner, want := range map[[2]string]string{
		{"Linux", "X64"}: "linux-amd64/detect-arch", {"Linux", "ARM64"}: "linux-arm64/detect-arch",
		{"macOS", "ARM64"}: "darwin-arm64/detect-arch", {"Windows", "X64"}: "windows-amd64/detect-arch.exe",
	} {
		t.Run(runner[0]+runner[1], func(t *testing.T) {
			goos, rest, _ := strings.Cut(want, "-")
			arch, _, _ := strings.Cut(rest, "/")
			if _, err := exec.LookPath("unzip"); err != nil && goos == "windows" && runtime.GOOS != "windows" {
				t.Skip("there is no unzip here")
			}
			r := newRelease(t, goos, arch)
			cache := t.TempDir()
			env := []string{"RUNNER_OS=" + runner[0], "RUNNER_ARCH=" + runner[1], "RUNNER_TOOL_CACHE=" + cache, "RUNNER_TEMP=" + t.TempDir(),
				"POLYARCH_VERSION=v1.2.3", "POLYARCH_RELEASES=" + r.serve(t) + "/"}
			for range 2 {
				got := bash(t, env, "install.sh", "detect-arch")
				if got.code != 0 || filepath.ToSlash(strings.TrimSpace(got.out)) != filepath.ToSlash(cache)+"/polyarch/v1.2.3/"+want {
					t.Fatalf("%+v", got)
				}
			}
			if n := r.requests.Load(); n != 2 {
				t.Errorf("%d requests, want 2: the second run takes it from the cache", n)
			}
		})
	}
}

// Whatever is wrong with a release, nothing of it is kept.
func TestInstallRefuses(t *testing.T) {
	const archive = "polyarch_v1.2.3_linux_amd64.tar.gz"
	for name, c := range map[string]struct {
		spoil func(map[string][]byte)
		env   []string
		want  string
	}{
		"wrong checksum": {
			func(f map[string][]byte) { f[archive] = append(f[archive], 0) }, nil,
			"::error title=polyarch::installing polyarch v1.2.3: " + archive + " has the checksum ",
		},
		"no checksum": {
			func(f map[string][]byte) {
				f["checksums.txt"] = []byte(strings.Repeat("0", 64) + "  " + archive + ".sbom\n")
			}, nil,
			"its checksums.txt has no checksum for " + archive,
		},
		"two checksums": {
			func(f map[string][]byte) { f["checksums.txt"] = append(f["checksums.txt"], f["checksums.txt"]...) }, nil,
			"its checksums.txt has no checksum for " + archive,
		},
		"an error page for checksums": {
			func(f map[string][]byte) { f["checksums.txt"] = []byte("<html>") }, nil,
			"its checksums.txt has no checksum for " + archive,
		},
		"no checksums.txt":   {func(f map[string][]byte) { delete(f, "checksums.txt") }, nil, "/v1.2.3/checksums.txt cannot be fetched"},
		"no archive":         {func(f map[string][]byte) { delete(f, archive) }, nil, "/v1.2.3/" + archive + " cannot be fetched"},
		"no version":         {nil, []string{"POLYARCH_VERSION=v1"}, `installing polyarch: "v1" is no version`},
		"a path":             {nil, []string{"POLYARCH_VERSION=v1.2.3/../../x"}, `is no version`},
		"a command":          {nil, []string{"POLYARCH_VERSION=v1\n::add-path::/tmp"}, `installing polyarch: "v1%0A::add-path::/tmp" is no version`},
		"no release for 386": {nil, []string{"RUNNER_ARCH=X86"}, "there is no release for Linux X86"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelease(t, "linux", "amd64")
			if c.spoil != nil {
				c.spoil(r.files)
			}
			cache, temp := t.TempDir(), t.TempDir()
			env := append([]string{"RUNNER_OS=Linux", "RUNNER_ARCH=X64", "RUNNER_TOOL_CACHE=" + cache, "RUNNER_TEMP=" + temp,
				"POLYARCH_VERSION=v1.2.3", "POLYARCH_RELEASES=" + r.serve(t)}, c.env...)
			got := bash(t, env, "install.sh", "detect-arch")
			if got.code != 1 || got.out != "" || !strings.Contains(got.errors, c.want) || !strings.Contains(got.errors, "polyarch: hint: ") {
				t.Errorf("%+v, want %q", got, c.want)
			}
			for _, dir := range []string{cache, temp} {
				if e, _ := os.ReadDir(dir); len(e) != 0 {
					t.Errorf("it left %v", e)
				}
			}
		})
	}
}

// A version of the action that is no release is built from its own source.
func TestInstallFromSource(t *testing.T) {
	got := bash(t, []string{"RUNNER_TEMP=" + t.TempDir()}, "install.sh", "detect-arch")
	if got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if out, err := exec.Command(strings.TrimSpace(got.out), "--version").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// A value reaches the program as one word, whatever it holds.
func TestRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program is a shell script")
	}
	cache := t.TempDir()
	dir := filepath.Join(cache, "polyarch", "v1.2.3", "linux-amd64")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "detect-arch"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	manifests := t.TempDir()
	for _, f := range []string{"a b.yaml", "c.yaml", "d.json"} {
		if err := os.WriteFile(filepath.Join(manifests, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	temp := t.TempDir()
	run := func(env ...string) result {
		return bash(t, append(env, "RUNNER_OS=Linux", "RUNNER_ARCH=X64", "RUNNER_TOOL_CACHE="+cache, "RUNNER_TEMP="+temp, "POLYARCH_VERSION=v1.2.3"), "run.sh", "detect-arch")
	}
	got := run(
		"POLYARCH_FLAG_DRY_RUN=true", "POLYARCH_FLAG_EMPTY=", "POLYARCH_FLAG_NAME=$(touch x) `id` \"a\" 'b' * ; --json",
		"POLYARCH_FLAG_RUNNER=linux/arm64=a,b\ndefault=c\n",
		"POLYARCH_WORDS=r@sha256:1=linux/amd64, *\r\nr@sha256:2",
		"POLYARCH_FILES=  "+manifests+"/*.yaml \r\n\n$(touch x)\n"+manifests+"/none*",
		"POLYARCH_COMMAND=echo \"$PLATFORM\"\nexit 3",
	)
	want := result{0, "[--github]\n[--dry-run=true]\n[--name=$(touch x) `id` \"a\" 'b' * ; --json]\n[--runner=linux/arm64=a,b\ndefault=c\n]\n" +
		"[r@sha256:1=linux/amd64]\n[*]\n[r@sha256:2]\n" +
		"[" + manifests + "/a b.yaml]\n[" + manifests + "/c.yaml]\n[$(touch x)]\n[" + manifests + "/none*]\n" +
		"[--]\n[bash]\n[-euo]\n[pipefail]\n[-c]\n[echo \"$PLATFORM\"\nexit 3]\n", ""}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(result{})); d != "" {
		t.Error(d)
	}
	if e, _ := os.ReadDir(temp); len(e) != 0 {
		t.Errorf("without a credential it left %v", e)
	}
	for _, name := range []string{"POLYARCH_WORDS", "POLYARCH_FILES"} {
		got := run(name + "=a\n--json")
		if got.code != 2 || got.out != "" || !strings.Contains(got.errors, `::error title=detect-arch::running detect-arch: the argument "--json" starts with -`) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A credential reaches the program, and the builders it starts, in a file that
// nobody else can read.
func TestCredentials(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program is a shell script")
	}
	cache, home := t.TempDir(), t.TempDir()
	dir := filepath.Join(cache, "polyarch", "v1.2.3", "linux-amd64")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const show = "#!/bin/sh\necho \"${DOCKER_CONFIG:+set} ${POLYARCH_DOCKER_CONFIG+left}\"\n[ -z \"$DOCKER_CONFIG\" ] || { ls -l \"$REGISTRY_AUTH_FILE\" | cut -c 1-10; cat \"$DOCKER_CONFIG/config.json\"; }\n"
	if err := os.WriteFile(filepath.Join(dir, "stitch-index"), []byte(show), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(env ...string) result {
		return bash(t, append(env, "HOME="+home, "RUNNER_OS=Linux", "RUNNER_ARCH=X64", "RUNNER_TOOL_CACHE="+cache, "RUNNER_TEMP="+t.TempDir(), "POLYARCH_VERSION=v1.2.3"), "run.sh", "stitch-index")
	}
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"POLYARCH_DOCKER_CONFIG={\"auths\":{}}", "GITHUB_TOKEN=t"}, "set \n-rw-------\n{\"auths\":{}}\n"},
		{[]string{"GITHUB_TOKEN=t", "GITHUB_ACTOR=me"}, "set \n-rw-------\n{\"auths\":{\"ghcr.io\":{\"auth\":\"bWU6dA==\"}}}\n"},
		{nil, " \n"},
	} {
		if d := cmp.Diff(result{0, c.want, ""}, run(c.env...), cmp.AllowUnexported(result{})); d != "" {
			t.Errorf("%v: %s", c.env, d)
		}
	}
	if err := os.MkdirAll(filepath.Join(home, ".docker"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".docker", "config.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run("GITHUB_TOKEN=t"); got.out != " \n" {
		t.Errorf("the runner's own config.json is hidden: %+v", got)
	}
}

package actions_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A release is what a server offers, by name.
type release struct {
	files    map[string][]byte
	requests atomic.Int32
	redirect string // where everything is, if it is elsewhere
}

// serve returns the variables that have the script fetch from the server, whose
// certificate curl is told to trust.
func (r *release) serve(t *testing.T) []string {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.requests.Add(1)
		if r.redirect != "" {
			http.Redirect(w, req, r.redirect+req.URL.Path, http.StatusFound)
			return
		}
		b, ok := r.files[strings.TrimPrefix(req.URL.Path, "/v1.2.3/")]
		if !ok {
			http.NotFound(w, req)
			return
		}
		w.Write(b)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"CURL_CA_BUNDLE=" + authority, "POLYARCH_RELEASES=" + server.URL + "/"}
}

var programs = []string{"detect-arch", "stitch-index", "inject-affinity"}

func newRelease(t *testing.T, goos, arch string) *release {
	t.Helper()
	var b bytes.Buffer
	name := "polyarch_v1.2.3_" + goos + "_" + arch
	var err error
	if goos == "windows" {
		name += ".zip"
		w := zip.NewWriter(&b)
		for _, name := range programs {
			f, err := w.Create(name + ".exe")
			if err != nil {
				t.Fatal(err)
			}
			f.Write([]byte(fake))
		}
		err = w.Close()
	} else {
		name += ".tar.gz"
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		for _, name := range programs {
			w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(fake))})
			w.Write([]byte(fake))
		}
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
			env := append(r.serve(t), "RUNNER_OS="+runner[0], "RUNNER_ARCH="+runner[1], "RUNNER_TOOL_CACHE="+cache, "RUNNER_TEMP="+t.TempDir(),
				"POLYARCH_VERSION=v1.2.3")
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
		"plain HTTP":         {nil, []string{"POLYARCH_RELEASES=http://127.0.0.1:1"}, "http://127.0.0.1:1 is not https"},
		"a file":             {nil, []string{"POLYARCH_RELEASES=file:///etc"}, "file:///etc is not https"},
		"another authority":  {nil, []string{"CURL_CA_BUNDLE=" + filepath.Join(t.TempDir(), "none")}, "/v1.2.3/checksums.txt cannot be fetched"},
		"no release for 386": {nil, []string{"RUNNER_ARCH=X86"}, "there is no release for Linux X86"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelease(t, "linux", "amd64")
			if c.spoil != nil {
				c.spoil(r.files)
			}
			cache, temp := t.TempDir(), t.TempDir()
			env := append(r.serve(t), "RUNNER_OS=Linux", "RUNNER_ARCH=X64", "RUNNER_TOOL_CACHE="+cache, "RUNNER_TEMP="+temp, "POLYARCH_VERSION=v1.2.3")
			env = append(env, c.env...)
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

// A server that sends the fetcher on to plain HTTP is not followed.
func TestInstallRefusesPlainRedirects(t *testing.T) {
	r := newRelease(t, "linux", "amd64")
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		t.Errorf("%s was asked for over plain HTTP", req.URL)
		w.Write(r.files["checksums.txt"])
	}))
	defer plain.Close()
	r.redirect = plain.URL
	env := append(r.serve(t), "RUNNER_OS=Linux", "RUNNER_ARCH=X64", "RUNNER_TOOL_CACHE="+t.TempDir(), "RUNNER_TEMP="+t.TempDir(), "POLYARCH_VERSION=v1.2.3")
	if got := bash(t, env, "install.sh", "detect-arch"); got.code != 1 || !strings.Contains(got.errors, "cannot be fetched") {
		t.Errorf("%+v", got)
	}
}

// A machine of each platform that has an image, as uname names it, has an
// archive too; and what a runner calls it does not matter.
func TestInstallKnowsEveryPlatform(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("uname is a shell script")
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^IMAGE_PLATFORMS \?= (.+)$`).FindSubmatch(makefile)
	if m == nil {
		t.Fatal("the Makefile has no IMAGE_PLATFORMS")
	}
	machines := map[string]string{
		"linux/amd64": "x86_64", "linux/arm64": "aarch64", "linux/arm/v7": "armv7l",
		"linux/ppc64le": "ppc64le", "linux/riscv64": "riscv64", "linux/s390x": "s390x",
	}
	config, err := os.ReadFile("../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Split(string(m[1]), ",") {
		machine := machines[p]
		if machine == "" {
			t.Errorf("this test does not know what uname -m says on %s", p)
			continue
		}
		arch := strings.ReplaceAll(strings.TrimPrefix(p, "linux/"), "/", "")
		if target := "- linux_" + strings.Replace(arch, "armv7", "arm_7", 1) + "\n"; !strings.Contains(string(config), target) {
			t.Errorf("no archive is made for %s: .goreleaser.yaml lacks %q", p, target)
		}
		bin := t.TempDir()
		uname := "#!/bin/sh\n[ \"$1\" = -m ] && echo " + machine + " || echo Linux\n"
		if err := os.WriteFile(filepath.Join(bin, "uname"), []byte(uname), 0o755); err != nil {
			t.Fatal(err)
		}
		path := "PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH")
		for _, runner := range [][]string{nil, {"RUNNER_OS=Linux", "RUNNER_ARCH=" + strings.ToUpper(machine)}} {
			cache := t.TempDir()
			env := append(newRelease(t, "linux", arch).serve(t), "RUNNER_TOOL_CACHE="+cache, "RUNNER_TEMP="+t.TempDir(), "POLYARCH_VERSION=v1.2.3", path)
			got := bash(t, append(env, runner...), "install.sh", "stitch-index")
			if want := cache + "/polyarch/v1.2.3/linux-" + arch + "/stitch-index\n"; got.out != want {
				t.Errorf("%s: %+v", p, got)
			}
		}
	}
}

// For a person: all three, by whatever shell sh is, out of a pipe; the release
// that the script is a part of, with nothing said.
func TestInstallForAPerson(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("it is for a Unix shell")
	}
	script, err := os.ReadFile("install.sh")
	if err != nil {
		t.Fatal(err)
	}
	ours := bytes.Replace(script, []byte("\nreleased="), []byte("\nreleased=v1.2.3"), 1)
	r := newRelease(t, runtime.GOOS, runtime.GOARCH)
	shells := []string{"sh -s --", "bash -s --"}
	for _, name := range []string{"dash", "busybox"} {
		if _, err := exec.LookPath(name); err == nil {
			shells = append(shells, map[string]string{"dash": "dash -s --", "busybox": "busybox sh -s --"}[name])
		}
	}
	for _, sh := range shells {
		home := t.TempDir()
		file := filepath.Join(t.TempDir(), "install.sh")
		if err := os.WriteFile(file, ours, 0o644); err != nil {
			t.Fatal(err)
		}
		env := append(r.serve(t), "HOME="+home)
		for range 2 { // the second time it replaces them
			got := shell(t, env, "sh", "-c", sh+" --to "+home+"/bin < "+file)
			if got.code != 0 || got.out != strings.Repeat("[--version]\n", 3) || !strings.Contains(got.errors, "hint: "+home+"/bin is not in PATH") {
				t.Errorf("%s: %+v", sh, got)
			}
		}
		var names []string
		entries, _ := os.ReadDir(filepath.Join(home, "bin"))
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if d := cmp.Diff([]string{"detect-arch", "inject-affinity", "stitch-index"}, names); d != "" {
			t.Errorf("%s: %s", sh, d)
		}
	}
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"--version v9.9.9 --to /nowhere/x", "polyarch: error: installing polyarch v9.9.9: ", 1},
		{"--to", "polyarch: error: --to names nothing", 1},
		{"--frobnicate", "Usage: install.sh", 2},
	} {
		got := bash(t, r.serve(t), "install.sh", strings.Fields(c.args)...)
		if got.code != c.code || got.out != "" || !strings.Contains(got.errors, c.want) {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
	of := filepath.Join(t.TempDir(), "install.sh") // out of no release: the script as main has it
	if err := os.WriteFile(of, script, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := shell(t, nil, "sh", of); got.code != 1 || !strings.Contains(got.errors, "this script is of no release") {
		t.Errorf("%+v", got)
	}
}

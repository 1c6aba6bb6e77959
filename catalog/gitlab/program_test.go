// Package gitlab_test runs the script that all GitLab components share.
package gitlab_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

type result struct {
	code        int
	out, errors string
}

// job runs the job .polyarch in a folder as a GitLab runner does: all lines in
// one shell.
func job(t *testing.T, dir string, env ...string) result {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("a job of these components runs on Linux")
	}
	b, err := os.ReadFile("program.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]struct {
		BeforeScript []string `yaml:"before_script"`
		Script       []string
	}
	if err := yaml.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	j := config[".polyarch"]
	cmd := exec.Command("sh", "-c", strings.Join(append(j.BeforeScript, j.Script...), "\n"))
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "POLYARCH_PROGRAM=detect-arch"}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var code *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &code) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// fake prints its arguments, each in brackets.
const fake = "#!/bin/sh\nfor a; do printf '[%s]\\n' \"$a\"; done\n"

func path(t *testing.T, program string) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "detect-arch"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A value reaches the program as one word, whatever it holds.
func TestArguments(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a b.yaml": "", "c.yaml": ""})
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"flags": {
			[]string{"POLYARCH_FLAG_NAME=$(touch x) `id` \"a\" 'b' * ; --json", "POLYARCH_FLAG_EMPTY=", "POLYARCH_FLAG_DRY_RUN= true", "POLYARCH_FLAG_RUNNER=linux/arm64=a,b\ndefault=c"},
			"[--dry-run=true]\n[--name=$(touch x) `id` \"a\" 'b' * ; --json]\n[--runner=linux/arm64=a,b\ndefault=c]\n",
		},
		"words":                   {[]string{"POLYARCH_WORDS=a=linux/amd64, *\n$(id)"}, "[a=linux/amd64]\n[*]\n[$(id)]\n"},
		"files":                   {[]string{`POLYARCH_FILES= ["*.yaml","$(id)", "none*"]`}, "[a b.yaml]\n[c.yaml]\n[$(id)]\n[none*]\n"},
		"one":                     {[]string{`POLYARCH_FILES=["a b.yaml"]`}, "[a b.yaml]\n"},
		"command":                 {[]string{"POLYARCH_COMMAND=echo \"$PLATFORM\"\nexit 3"}, "[--]\n[sh]\n[-euc]\n[echo \"$PLATFORM\"\nexit 3]\n"},
		"sources are named":       {[]string{"POLYARCH_COLLECT=true", "POLYARCH_WORDS=a"}, "[a]\n"},
		"it builds":               {[]string{"POLYARCH_COLLECT=true", "POLYARCH_FLAG_PLATFORM=linux/arm64"}, "[--platform=linux/arm64]\n"},
		"the parent's command":    {[]string{"POLYARCH_COMMAND=$POLYARCH_CHILD_COMMAND", "POLYARCH_CHILD_COMMAND=echo $?"}, "[--]\n[sh]\n[-euc]\n[echo $?]\n"},
		"what a child built":      {[]string{"POLYARCH_BUILT=r/app:build-7", "PLATFORMS=linux/amd64,linux/arm/v7"}, "[r/app:build-7-" + key("") + "_linux_amd64=linux/amd64]\n[r/app:build-7-" + key("") + "_linux_arm_v7=linux/arm/v7]\n"},
		"of one include":          {[]string{"POLYARCH_BUILT=r/app:build-7", "POLYARCH_PREFIX=debian ", "PLATFORMS=linux/amd64"}, "[r/app:build-7-" + key("debian ") + "_linux_amd64=linux/amd64]\n"},
		"it writes":               {[]string{"POLYARCH_FLAG_WRITE=true", "POLYARCH_FLAG_CHECK=false"}, "[--check=false]\n[--write=true]\n"},
		"it looks":                {[]string{"POLYARCH_FLAG_WRITE=true", "POLYARCH_FLAG_CHECK=true"}, "[--check=true]\n"},
		"a child pipeline":        {[]string{"POLYARCH_FLAG_CHILD_PIPELINE=p.yml", "POLYARCH_FLAG_CHILD_SCRIPT=make"}, "[--child-pipeline=p.yml]\n[--child-script=make]\n"},
		"no child pipeline":       {[]string{"POLYARCH_FLAG_CHILD_PIPELINE=p.yml", "POLYARCH_FLAG_CHILD_SCRIPT="}, ""},
		"no files, nothing to do": {[]string{"POLYARCH_FILES= []", "POLYARCH_FLAG_NAME=x"}, ""},
	} {
		got := job(t, dir, append(c.env, path(t, fake))...)
		if got.code != 0 || got.out != c.want {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
	for _, env := range []string{"POLYARCH_WORDS=a --json", `POLYARCH_FILES=["a","--json"]`} {
		if got := job(t, dir, env, path(t, fake)); got.code != 1 || got.out != "" || !strings.Contains(got.errors, "--json starts with -") {
			t.Errorf("%s: %+v", env, got)
		}
	}
}

// key is what the script names an image, or an include, by.
func key(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s)))[:16] }

// What a job builds, another of this pipeline takes: by variables, which only jobs can set, under the
// image and its first tag, so that neither another image nor a file of the repository can be taken.
func TestHandOver(t *testing.T) {
	const build = `#!/bin/sh
for a; do
  case $a in
  --result=source-list=*) printf '{"for":{},"sources":["r@sha256:1=linux/arm64"]}' > "${a#--result=source-list=}" ;;
  *) printf '[%s]\n' "$a" ;;
  esac
done
`
	dir := t.TempDir()
	write(t, dir, map[string]string{"polyarch-source.env": "POLYARCH_SOURCE_x=planted\n"})
	ci := []string{"CI_COMMIT_SHA=1f2e", "CI_PIPELINE_ID=7", "POLYARCH_FLAG_IMAGE=r/app"}
	got := job(t, dir, append(ci, path(t, build), "POLYARCH_HAND_OVER=true", "POLYARCH_FLAG_TAG=\nv1, latest", "POLYARCH_FLAG_PLATFORM=linux/arm64")...)
	if d := cmp.Diff(result{0, "[--image=r/app]\n[--made-for=commit=1f2e\npipeline=7]\n[--platform=linux/arm64]\n[--tag=\nv1, latest]\n", ""}, got, cmp.AllowUnexported(result{})); d != "" {
		t.Error(d)
	}
	report, err := os.ReadFile(filepath.Join(dir, "polyarch-source.env"))
	variable := "POLYARCH_SOURCE_" + key("r/app:v1")
	if want := variable + `_linux_arm64={"for":{},"sources":["r@sha256:1=linux/arm64"]}` + "\n"; err != nil || string(report) != want {
		t.Errorf("%v, %q, want %q", err, report, want)
	}

	const take = `#!/bin/sh
for a; do case $a in --sources-file=*) cat "${a#--sources-file=}" ;; *) printf '[%s]\n' "$a" ;; esac; done
`
	variables := []string{variable + "_linux_arm64=arm", variable + "_linux_amd64=amd", "POLYARCH_SOURCE_" + key("r/app:v2") + "_linux_amd64=other", "POLYARCH_SOURCE_=none"}
	collect := append(append(ci, variables...), path(t, take), "POLYARCH_COLLECT=true")
	got = job(t, t.TempDir(), append(collect, "POLYARCH_FLAG_TAG=v1")...)
	if d := cmp.Diff(result{0, "[--image=r/app]\n[--made-for=commit=1f2e\npipeline=7]\namd\narm\n[--tag=v1]\n", ""}, got, cmp.AllowUnexported(result{})); d != "" {
		t.Error(d)
	}
	if got := job(t, t.TempDir(), append(collect, "POLYARCH_FLAG_TAG=v3")...); got.code != 1 || !strings.Contains(got.errors, "no job of build-image has built r/app:v3") {
		t.Errorf("%+v", got)
	}
	planted := t.TempDir()
	write(t, planted, map[string]string{"polyarch-source-9": "r/other:v1=linux/amd64"})
	if got := job(t, planted, append(collect, "POLYARCH_FLAG_TAG=v1")...); got.code != 1 || got.out != "" || !strings.Contains(got.errors, "taking sources: polyarch-source-9 is a file of the repository") {
		t.Errorf("%+v", got)
	}
}

// The results of an include have its prefix, too.
func TestPrefixedResults(t *testing.T) {
	dir := t.TempDir()
	const sets = "#!/bin/sh\nprintf 'IMAGE_REF=a\\nPLATFORMS=b\\n' > out.env\n"
	if got := job(t, dir, path(t, sets), "POLYARCH_FLAG_DOTENV=out.env", "POLYARCH_PREFIX=debian-"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	b, err := os.ReadFile(filepath.Join(dir, "out.env"))
	if err != nil || string(b) != "IMAGE_REF=a\nPLATFORMS=b\nDEBIAN_IMAGE_REF=a\nDEBIAN_PLATFORMS=b\n" {
		t.Errorf("%v %q", err, b)
	}
}

// trust is the variable that has curl trust a server.
func trust(t *testing.T, server *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	return "CURL_CA_BUNDLE=" + path
}

// A runner of each platform that has an image asks for the archive of its own.
func TestReleaseForEveryPlatform(t *testing.T) {
	for machine, arch := range map[string]string{
		"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armv7", "armv8l": "armv7", "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x",
	} {
		bin := t.TempDir()
		uname := "#!/bin/sh\n[ \"$1\" = -m ] && echo " + machine + " || echo Linux\n"
		if err := os.WriteFile(filepath.Join(bin, "uname"), []byte(uname), 0o755); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
		got := job(t, t.TempDir(), "POLYARCH_VERSION=v1.2.3", "POLYARCH_RELEASES="+server.URL, trust(t, server), "PATH="+bin+":"+os.Getenv("PATH"))
		if want := "no checksum for polyarch_v1.2.3_linux_" + arch + ".tar.gz"; !strings.Contains(got.errors, want) {
			t.Errorf("%s: %+v", machine, got)
		}
		server.Close()
	}
	got := job(t, t.TempDir(), "POLYARCH_VERSION=v1.2.3", "POLYARCH_RELEASES=http://127.0.0.1:1")
	if got.code != 1 || !strings.Contains(got.errors, "http://127.0.0.1:1 is not https") {
		t.Errorf("plain HTTP: %+v", got)
	}
}

func TestRelease(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	w.WriteHeader(&tar.Header{Name: "detect-arch", Mode: 0o755, Size: int64(len(fake))})
	w.Write([]byte(fake))
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	archive := "polyarch_v1.2.3_linux_" + runtime.GOARCH + ".tar.gz"
	sum := fmt.Sprintf("%x  %s\n", sha256.Sum256(b.Bytes()), archive)
	for name, c := range map[string]struct {
		version, sums string
		content       []byte
		want          string
	}{
		"right":          {"v1.2.3", sum, b.Bytes(), ""},
		"wrong checksum": {"v1.2.3", sum, append(b.Bytes(), 0), archive + " has the checksum "},
		"no checksum":    {"v1.2.3", strings.ReplaceAll(sum, archive, archive+".sbom"), b.Bytes(), "its checksums.txt has no checksum for " + archive},
		"no archive":     {"v1.2.3", sum, nil, archive + " cannot be fetched"},
		"no release":     {"dev", sum, b.Bytes(), `"dev" is no release`},
	} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/v1.2.3/checksums.txt":
				fmt.Fprint(w, c.sums)
			case r.URL.Path == "/v1.2.3/"+archive && c.content != nil:
				w.Write(c.content)
			default:
				http.NotFound(w, r)
			}
		}))
		temp := t.TempDir()
		for range 2 {
			got := job(t, t.TempDir(), "XDG_CACHE_HOME="+temp, "POLYARCH_VERSION="+c.version, "POLYARCH_RELEASES="+server.URL+"/", trust(t, server), "POLYARCH_FLAG_X=y")
			if c.want == "" {
				if d := cmp.Diff(result{0, "[--x=y]\n", ""}, got, cmp.AllowUnexported(result{})); d != "" {
					t.Errorf("%s: %s", name, d)
				}
				server.Close() // the second time it is there already
				continue
			}
			if got.code != 1 || got.out != "" || !strings.Contains(got.errors, c.want) || !strings.Contains(got.errors, "polyarch: hint: ") {
				t.Errorf("%s: %+v", name, got)
			}
			if _, err := os.Stat(filepath.Join(temp, "polyarch", "v1.2.3-linux_"+runtime.GOARCH)); err == nil {
				t.Errorf("%s: it is installed", name)
			}
		}
		server.Close()
	}
}

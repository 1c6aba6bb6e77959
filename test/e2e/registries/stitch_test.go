package registries

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// A lab is stitch-index with a Docker config of its own.
type lab struct {
	t       *testing.T
	program string
	env     []string
}

func newLab(t *testing.T, config string, env ...string) *lab {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.json"), config)
	return &lab{t, tool.Ours(t, "stitch-index"), append(append(os.Environ(), "HOME="+dir, "DOCKER_CONFIG="+dir), env...)}
}

func (l *lab) run(args ...string) (stdout, stderr string, code int) {
	l.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(l.program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = l.env, &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		l.t.Fatal(err)
	}
	if strings.Contains(out.String()+errs.String(), password) {
		l.t.Errorf("the password is in what it prints: %s%s", out.String(), errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (l *lab) must(args ...string) string {
	l.t.Helper()
	out, errs, code := l.run(args...)
	if code != 0 {
		l.t.Fatalf("stitch-index %s: exit code %d\n%s", strings.Join(args, " "), code, errs)
	}
	return out
}

// image makes an image of two layers that starts an ELF program.
func image(t *testing.T, arch string) v1.Image {
	t.Helper()
	return imageOf(t, arch, tarball.WithMediaType(types.OCILayer))
}

// imageOf is image with layers as opts say.
func imageOf(t *testing.T, arch string, opts ...tarball.LayerOption) v1.Image {
	t.Helper()
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, f := range []struct {
		name string
		body []byte
	}{{"etc/hello", []byte("hello " + arch)}, {"app", []byte(imagetest.ELF(arch, 0))}} {
		var layer bytes.Buffer
		w := tar.NewWriter(&layer)
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o755, Size: int64(len(f.body)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		w.Write(f.body)
		w.Close()
		l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil }, opts...)
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, l); err != nil {
			t.Fatal(err)
		}
	}
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture, cf.Config.Entrypoint = "linux", arch, []string{"/app"}
	if img, err = mutate.ConfigFile(img, cf); err != nil {
		t.Fatal(err)
	}
	return img
}

// exercise does all that touches a registry in its own way.
// open is the same registry as s, or serves the same folder, so that
// go-containerregistry gets in with opts.
func exercise(t *testing.T, l *lab, s, open, other *server, opts ...remote.Option) {
	t.Helper()
	opts = append(opts, remote.WithTransport(open.client))
	for _, arch := range []string{"amd64", "arm64"} {
		ref, err := name.ParseReference(open.host + "/app:" + arch)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, image(t, arch), opts...); err != nil {
			t.Fatal(err)
		}
	}
	sources := []string{s.host + "/app:amd64", s.host + "/app:arm64"}
	first := l.must(append([]string{"--image", s.host + "/app", "--tag", "v1,v1.2,latest"}, sources...)...)
	if again := l.must(append([]string{"--image", s.host + "/app", "--tag", "v1,v1.2,latest"}, sources...)...); again != first {
		t.Errorf("a second run differs:\n%s%s", first, again)
	}
	good(t, open, "app:latest", opts...)
	l.must(append([]string{"--image", s.host + "/copy", "--tag", "v1", "--child-tags", "suffix"}, sources...)...)
	good(t, open, "copy:v1", opts...)
	l.must("--append", "--image", s.host+"/copy:v1", s.host+"/app:amd64")
	good(t, open, "copy:v1", opts...)
	if out := l.must("--json", "--image", other.host+"/elsewhere:v1", s.host+"/app:v1"); !strings.Contains(out, `"copied": 3`) {
		t.Errorf("copying from one registry to another: %s", out)
	}
	good(t, other, "elsewhere:v1", remote.WithTransport(other.client))
	l.must("--image", s.host+"/back:v1", other.host+"/elsewhere:v1")
	good(t, open, "back:v1", opts...)

	// What is not there, and what must not be.
	if _, errs, code := l.run("--wait", "0s", "--image", s.host+"/app:v1", s.host+"/app:missing"); code != 1 || !strings.Contains(errs, "404") {
		t.Errorf("a source that is missing: exit code %d\n%s", code, errs)
	}
	if _, errs, code := l.run("--image", s.host+"/app:v1", s.host+"/app:amd64=arm64"); code != 1 || !strings.Contains(errs, "its config says linux/amd64") {
		t.Errorf("a wrong platform: exit code %d\n%s", code, errs)
	}
}

// good checks an index and all below it as go-containerregistry does.
func good(t *testing.T, s *server, image string, opts ...remote.Option) {
	t.Helper()
	ref, err := name.ParseReference(s.host + "/" + image)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Errorf("%s: %v", ref, err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, d := range m.Manifests {
		platforms = append(platforms, d.Platform.String())
	}
	if got := strings.Join(platforms, " "); got != "linux/amd64 linux/arm64" {
		t.Errorf("%s is for %s", ref, got)
	}
}

func TestInTheOpen(t *testing.T) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s, other := start(t, kind, t.TempDir(), "", [2]string{}), start(t, "distribution v3", t.TempDir(), "", [2]string{})
			exercise(t, newLab(t, "{}"), s, s, other)
		})
	}
}

func login(hosts ...string) string {
	var auths []string
	for _, h := range hosts {
		auths = append(auths, fmt.Sprintf("%q:{\"auth\":%q}", h, base64.StdEncoding.EncodeToString([]byte(user+":"+password))))
	}
	return `{"auths":{` + strings.Join(auths, ",") + `}}`
}

func TestPasswordAndPrivateAuthority(t *testing.T) {
	for _, kind := range []string{"distribution v3", "docker-registry 2.8"} {
		t.Run(kind, func(t *testing.T) {
			p := newPair(t)
			file := filepath.Join(t.TempDir(), "htpasswd")
			write(t, file, htpasswd)
			s := start(t, kind, t.TempDir(), fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", file), p.files)
			other := start(t, "distribution v3", t.TempDir(), "", [2]string{})
			opts := remote.WithAuth(&authn.Basic{Username: user, Password: password})
			exercise(t, newLab(t, login(s.host), "SSL_CERT_FILE="+p.files[0]), s, s, other, opts)

			if _, errs, code := newLab(t, "{}", "SSL_CERT_FILE="+p.files[0]).run("--image", s.host+"/app:v1", s.host+"/app:amd64"); code != 4 || !strings.Contains(errs, "docker login "+s.host) {
				t.Errorf("without a credential: exit code %d\n%s", code, errs)
			}
			if _, errs, code := newLab(t, login(s.host)).run("--image", s.host+"/app:v1", s.host+"/app:amd64"); code != 5 || !strings.Contains(errs, "certificate") {
				t.Errorf("without the authority: exit code %d\n%s", code, errs)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	for _, kind := range []string{"distribution v3", "docker-registry 2.8"} {
		t.Run(kind, func(t *testing.T) {
			p := newPair(t)
			var asked atomic.Int64
			service := tokenService(t, p, &asked)
			dir := t.TempDir()
			s := start(t, kind, dir, fmt.Sprintf("auth: {token: {realm: %q, service: test, issuer: polyarch test, rootcertbundle: %q}}\n", service.URL+"/token", p.files[0]), [2]string{})
			other := start(t, "distribution v3", t.TempDir(), "", [2]string{})
			l := newLab(t, login(s.host))
			// go-containerregistry asks no token service on loopback.
			exercise(t, l, s, start(t, kind, dir, "", [2]string{}), other)

			before := asked.Load()
			l.must("--image", s.host+"/new:v1", s.host+"/app:amd64", s.host+"/copy:v1_linux_arm64")
			if n := asked.Load() - before; n != 1 {
				t.Errorf("%d tokens for a run over three repositories, want one", n)
			}
			if _, errs, code := newLab(t, "{}").run("--image", s.host+"/app:v1", s.host+"/app:amd64"); code != 4 {
				t.Errorf("without a credential: exit code %d\n%s", code, errs)
			}
		})
	}
}

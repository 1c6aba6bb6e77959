package registries

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// A signer is cosign with a key pair of its own, and without Sigstore's services.
type signer struct {
	t       *testing.T
	program string
	dir     string
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	s := &signer{t, tool.Build(t, tool.Cosign), t.TempDir()}
	for _, args := range [][]string{{"generate-key-pair"}, {"signing-config", "create", "--out", "signing.json"}} {
		if out, err := s.run(args...); err != nil {
			t.Fatalf("cosign %s: %v\n%s", args, err, out)
		}
	}
	return s
}

func (s *signer) run(args ...string) (string, error) {
	cmd := exec.Command(s.program, args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "COSIGN_PASSWORD=", "HOME="+s.dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// gates are what a user gives --gate.
func (s *signer) sign() string {
	return fmt.Sprintf(`%s sign --yes --key %s/cosign.key --signing-config %s/signing.json --recursive "$IMAGE_REF"`, s.program, s.dir, s.dir)
}

func (s *signer) verify(ref string) string {
	return fmt.Sprintf(`%s verify --key %s/cosign.pub --insecure-ignore-tlog %s > /dev/null`, s.program, s.dir, ref)
}

// about returns the kinds of what refers to a manifest, by the API of referrers or
// by the tag that stands in for it.
func about(t *testing.T, s *server, ref string) []string {
	t.Helper()
	d, err := name.NewDigest(s.host + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	list, err := remote.Referrers(d, remote.WithTransport(s.client))
	if err != nil {
		t.Fatal(err)
	}
	m, err := list.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, r := range m.Manifests {
		desc, err := remote.Get(d.Context().Digest(r.Digest.String()), remote.WithTransport(s.client))
		if err != nil {
			t.Fatal(err)
		}
		var a struct {
			v1.Manifest
			ArtifactType string `json:"artifactType"`
		}
		if err := json.Unmarshal(desc.Manifest, &a); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, a.ArtifactType)
	}
	slices.Sort(kinds)
	return kinds
}

// Files are attached, the index and its images are signed by cosign and that is
// verified, all before a tag moves; what another key has signed keeps the tag from
// moving. Some of these registries list what refers to a manifest, some do not.
func TestEvidence(t *testing.T) {
	mine, other := newSigner(t), newSigner(t)
	const bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s, second := start(t, kind, t.TempDir(), "", [2]string{}), start(t, "docker-registry 2.8", t.TempDir(), "", [2]string{})
			l := newLab(t, "{}", "COSIGN_PASSWORD=")
			files := t.TempDir()
			var sources []string
			for _, arch := range []string{"amd64", "arm64"} {
				ref, err := name.ParseReference(s.host + "/app:" + arch)
				if err != nil {
					t.Fatal(err)
				}
				if err := remote.Write(ref, image(t, arch), remote.WithTransport(s.client)); err != nil {
					t.Fatal(err)
				}
				sources = append(sources, ref.String())
				write(t, filepath.Join(files, "sbom-linux_"+arch+".json"), `{"spdxVersion":"SPDX-2.3","packages":[{"externalRefs":[{"referenceLocator":"pkg:deb/debian/libc6@2.36?arch=`+arch+`"}]}]}`)
			}
			write(t, filepath.Join(files, "scan.sarif"), `{"version":"2.1.0"}`)
			args := append([]string{
				"--json", "--image", s.host + "/app",
				"--attach", "application/spdx+json=" + files + "/sbom-{platform}.json", "--attach", "application/sarif+json=" + files + "/scan.sarif",
				"--gate", mine.sign(),
			}, sources...)
			gate := func(more ...string) []string { return append(slices.Clone(args), more...) }

			out := l.must(gate("--tag", "v1,latest", "--gate", mine.verify(`"$IMAGE_REF"`), "--gate", mine.verify(`"$IMAGE_linux_arm64"`))...)
			var doc struct {
				Digest string
				Images []struct{ Digest string }
			}
			if err := json.Unmarshal([]byte(out), &doc); err != nil {
				t.Fatal(err)
			}
			if got, want := about(t, s, "app@"+doc.Digest), []string{"application/sarif+json", bundle}; !slices.Equal(got, want) {
				t.Errorf("about the index: %v, want %v", got, want)
			}
			for _, i := range doc.Images {
				if got, want := about(t, s, "app@"+i.Digest), []string{"application/spdx+json", bundle}; !slices.Equal(got, want) {
					t.Errorf("about an image: %v, want %v", got, want)
				}
			}
			if out, err := mine.run("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", s.host+"/app:latest"); err != nil {
				t.Errorf("verifying the tag: %v\n%s", err, out)
			}

			// what is not signed by the key that counts gets no tag
			_, errs, code := l.run(gate("--tag", "v2", "--gate", other.verify(`"$IMAGE_REF"`))...)
			if code != 1 || !strings.Contains(errs, "no tag was moved") || !strings.Contains(errs, "the gate failed") {
				t.Errorf("an image that another key has signed: exit code %d\n%s", code, errs)
			}
			resp, err := (&http.Client{Transport: s.client}).Head("http://" + s.host + "/v2/app/manifests/v2")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNotFound {
				t.Errorf("the tag v2: %s", resp.Status)
			}

			// and evidence goes with the images, also to a registry that lists none
			l.must("--image", second.host+"/copy", "--tag", "v1", "--referrers", s.host+"/app:v1")
			for _, i := range doc.Images {
				if out, err := mine.run("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", second.host+"/copy@"+i.Digest); err != nil {
					t.Errorf("verifying a copy: %v\n%s", err, out)
				}
				if got := about(t, second, "copy@"+i.Digest); !slices.Contains(got, "application/spdx+json") {
					t.Errorf("about a copy: %v", got)
				}
			}
		})
	}
}

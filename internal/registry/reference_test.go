package registry

import (
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/exit"
)

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseReference(t *testing.T) {
	for in, want := range map[string]string{
		"alpine":                                 "docker.io/library/alpine:latest",
		"index.docker.io/alpine":                 "docker.io/library/alpine:latest",
		"me/app:v1":                              "docker.io/me/app:v1",
		"localhost/app":                          "localhost/app:latest",
		"localhost:5000/app":                     "localhost:5000/app:latest",
		"[::1]:5000/app:v1":                      "[::1]:5000/app:v1",
		"ghcr.io/me/my-app__x:V1_a.b-c":          "ghcr.io/me/my-app__x:V1_a.b-c",
		"ghcr.io/me/app@" + someDigest:           "ghcr.io/me/app@" + someDigest,
		"ghcr.io/me/app:v1@" + someDigest:        "ghcr.io/me/app:v1@" + someDigest,
		"https://ghcr.io/me/app":                 `parsing repository "https://ghcr.io/me/app": it starts with a URL's scheme`,
		"ghcr.io/Me/app":                         `parsing repository "ghcr.io/Me/app": "Me/app" is not a repository`,
		"ghcr.io/":                               `parsing repository "ghcr.io/": it names no repository`,
		"":                                       `parsing repository "": it names no repository`,
		"a b.c/app":                              `parsing repository "a b.c/app": "a b.c" is not a host`,
		"u:p@evil.example/app":                   `parsing reference "u:p@evil.example/app": "evil.example/app" is not a digest`,
		"ghcr.io/me/app:-x":                      `parsing tag "-x": it is not a tag`,
		"ghcr.io/me/app@sha256:12":               `parsing reference "ghcr.io/me/app@sha256:12": "sha256:12" is not a digest`,
		"ghcr.io/" + strings.Repeat("a", 256):    `parsing repository "ghcr.io/` + strings.Repeat("a", 256) + `": its path is longer than 255 characters`,
		"ghcr.io/me//app":                        `parsing repository "ghcr.io/me//app": "me//app" is not a repository`,
		"ghcr.io/me/../../v2/other/manifests/v1": `parsing repository "ghcr.io/me/../../v2/other/manifests/v1": "me/../../v2/other/manifests/v1" is not a repository`,
	} {
		ref, err := ParseReference(in)
		got := ref.String()
		if err != nil {
			got = err.Error()
			if exit.CodeOf(err) != exit.Usage {
				t.Errorf("%s: exit code %d", in, exit.CodeOf(err))
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if _, err := ParseReference("ghcr.io/Me/app"); len(exit.HintsOf(err)) != 1 || exit.HintsOf(err)[0] != "registries take lower case only; write ghcr.io/me/app" {
		t.Errorf("hints %q", exit.HintsOf(err))
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:1": true, "127.9.9.9": true, "[::1]:5000": true, "LOCALHOST.": true, "reg.localhost": false, "0.0.0.0": false,
		"localhost.evil.example": false, "127.0.0.1.evil.example": false, "10.0.0.1:5000": false, "192.168.1.1": false, "ghcr.io": false, "": false,
	} {
		if loopback(host) != want {
			t.Errorf("loopback(%q) is not %v", host, want)
		}
	}
}

// What is accepted reads back as the same.
func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"alpine", "ghcr.io/me/app:v1@" + someDigest, "[::1]:5000/a:b", "a@b", ":", "/:@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := ParseReference(s)
		if err != nil {
			return
		}
		again, err := ParseReference(ref.String())
		if err != nil || again != ref {
			t.Fatalf("%q is %q, which reads back as %q, %v", s, ref, again, err)
		}
		if strings.ContainsAny(ref.String(), " \n\r\t=?#%\\") {
			t.Fatalf("%q holds a separator", ref)
		}
	})
}

package bases_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/internal/bases"
	"github.com/polyarch/polyarch/internal/dockerfile"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

const host = "registry.test"

// index stores an index of images for the platforms, and returns its digest
// and theirs.
func index(t *testing.T, g *imagetest.Registry, ref string, platforms ...string) (of v1.Hash, each map[string]v1.Hash) {
	t.Helper()
	x := v1.ImageIndex(empty.Index)
	each = map[string]v1.Hash{}
	for _, p := range platforms {
		img, err := imagetest.App(p, imagetest.Arch(p), ref).Build()
		if err != nil {
			t.Fatal(err)
		}
		cf, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		x = mutate.AppendManifests(x, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: cf.Platform()}})
		if each[p], err = img.Digest(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := name.ParseReference(host+"/"+ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(r, x, remote.WithTransport(g)); err != nil {
		t.Fatal(err)
	}
	of, err = x.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return of, each
}

func single(t *testing.T, g *imagetest.Registry, ref, p string) {
	t.Helper()
	if _, err := imagetest.App(p, imagetest.Arch(p), ref).Push(host+"/"+ref, remote.WithTransport(g)); err != nil {
		t.Fatal(err)
	}
}

// check looks up what a build of the text for the platforms reads, at a registry
// each of whose answers takes a second. It returns what is found and noted,
// and how long that took.
func check(t *testing.T, g *imagetest.Registry, text, platforms string) (lines []string, took time.Duration) {
	t.Helper()
	f, err := dockerfile.Parse([]byte(strings.ReplaceAll(text, "@@", host+"/")))
	if err != nil {
		t.Fatal(err)
	}
	var list platform.List
	if err := list.Set(platforms); err != nil {
		t.Fatal(err)
	}
	all, notes, err := bases.Of(f, dockerfile.Build{Builder: platform.Platform{OS: "linux", Arch: "amd64"}}, list)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		network := imagetest.NewNetwork()
		network.Serve(host, time.Second, g)
		transport := network.Transport()
		client := registry.New(registry.Options{Insecure: []string{host}, Transport: transport})
		started := time.Now()
		findings, more := bases.Check(t.Context(), client, all)
		took = time.Since(started)
		for _, f := range findings {
			kind := "perhaps"
			if f.Proved {
				kind = "proved"
			}
			lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s: %d: %s: %s", kind, f.Line, strings.ReplaceAll(f.Text, host, "@"), strings.ReplaceAll(f.Hint, host, "@")), ": "))
		}
		for _, n := range append(notes, more...) {
			lines = append(lines, "note: "+n)
		}
		transport.CloseIdleConnections()
		network.Close()
	})
	return lines, took
}

func TestCheck(t *testing.T) {
	g := imagetest.NewRegistry()
	two, of := index(t, g, "two:1", "linux/amd64", "linux/arm64")
	_, old := index(t, g, "old:1", "linux/amd64", "linux/arm64", "linux/s390x")
	now, _ := index(t, g, "old:1", "linux/amd64", "linux/arm64")
	index(t, g, "three:1", "linux/amd64", "linux/arm/v6", "linux/386")
	index(t, g, "x86:1", "linux/386", "linux/arm/v7")
	single(t, g, "amd:1", "linux/amd64")
	amd := of["linux/amd64"].String()
	const both = "linux/amd64,linux/arm64"
	for name, c := range map[string]struct {
		text, platforms string
		requests        int
		want            []string
	}{
		"right":         {"FROM @@two:1", both, 1, nil},
		"twice":         {"FROM @@two:1 AS a\nFROM @@two:1\nCOPY --from=a / /", both, 1, nil},
		"lacks one":     {"FROM @@two:1", "linux/amd64,linux/s390x", 1, []string{"proved: 1: @/two:1 has no image for linux/s390x; it has linux/amd64,linux/arm64"}},
		"lacks a copy":  {"FROM scratch\nCOPY --from=@@two:1 / /", "linux/s390x", 1, []string{"proved: 2: @/two:1 has no image for linux/s390x; it has linux/amd64,linux/arm64"}},
		"the builder's": {"FROM --platform=$BUILDPLATFORM @@amd:1 AS b\nFROM @@two:1\nCOPY --from=b / /", both, 3, nil},
		"perhaps the builder's": {"FROM --platform=$BUILDPLATFORM @@x86:1 AS b\nFROM @@two:1\nCOPY --from=b / /", "linux/arm64", 2,
			[]string{"perhaps: 1: @/x86:1 has no image for linux/amd64; it has linux/386,linux/arm/v7"}},
		"an older variant": {"FROM @@three:1", "linux/arm/v7", 1, nil},
		"a newer variant":  {"FROM @@x86:1", "linux/arm/v6", 1, []string{"proved: 1: @/x86:1 has no image for linux/arm/v6; it has linux/386,linux/arm/v7"}},
		"a substitute":     {"FROM @@x86:1", "linux/amd64", 1, []string{"proved: 1: @/x86:1 has no image for linux/amd64; it has linux/386,linux/arm/v7"}},
		"copied from it":   {"FROM @@two:1\nCOPY --from=@@x86:1 / /", "linux/arm64", 2, []string{"perhaps: 2: @/x86:1 has no image for linux/arm64; it has linux/386,linux/arm/v7"}},
		"one image":        {"FROM @@amd:1", both, 2, []string{"proved: 1: @/amd:1 is one image, for linux/amd64, and it is wanted for linux/arm64"}},
		"one that fits":    {"FROM @@amd:1", "linux/amd64", 2, nil},
		"files of one":     {"FROM @@two:1\nCOPY --from=@@amd:1 /jar /", both, 3, []string{"perhaps: 2: @/amd:1 is one image, for linux/amd64, and it is wanted for linux/arm64"}},
		"pinned":           {"FROM @@two:1@" + two.String(), both, 1, nil},
		"pinned to one": {"FROM @@two:1@" + amd, both, 3, []string{
			"proved: 1: the digest in @/two:1@" + amd + " is of the image for linux/amd64 alone, and it is wanted for linux/arm64: write @/two:1@" + two.String() + ", the index that has it"}},
		"pinned to one, no tag": {"FROM @@two@" + amd, both, 2, []string{
			"proved: 1: the digest in @/two@" + amd + " is of the image for linux/amd64 alone, and it is wanted for linux/arm64: pin the digest of the index instead, which has all platforms"}},
		"pinned to an old one": {"FROM @@old:1@" + old["linux/s390x"].String(), both, 3, []string{
			"proved: 1: the digest in @/old:1@" + old["linux/s390x"].String() + " is of the image for linux/s390x alone, and it is wanted for linux/amd64,linux/arm64: write @/old:1@" + now.String() + ", the index that the tag names now; the digest is of an older one"}},
		"not there":      {"FROM @@no:1", both, 1, []string{"note: line 1: @@no:1 was not looked up: there is no @@no:1"}},
		"no reference":   {"FROM oci-archive:a.tar:b", both, 0, []string{`note: line 1: oci-archive:a.tar:b was not looked up: parsing repository "oci-archive:a.tar": `}},
		"another's host": {"FROM other.test/a", both, 0, []string{"note: line 1: other.test/a was not looked up: "}},
	} {
		t.Run(name, func(t *testing.T) {
			g.Reset()
			got, took := check(t, g, c.text, c.platforms)
			same := slices.EqualFunc(got, c.want, func(g, w string) bool {
				return strings.HasPrefix(g, strings.ReplaceAll(w, "@@", host+"/"))
			})
			if !same {
				t.Errorf("%q\nwant\n%q", got, c.want)
			}
			if n := len(g.Requests()); n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
			if took.Round(time.Second/2) > 2*time.Second && c.requests > 0 {
				t.Errorf("it took %s, more than two round trips", took)
			}
		})
	}
}

// Any number of bases takes two round trips.
func TestRoundTrips(t *testing.T) {
	g := imagetest.NewRegistry()
	var text strings.Builder
	for n := range 10 {
		index(t, g, fmt.Sprintf("i%d:1", n), "linux/amd64", "linux/arm64")
		single(t, g, fmt.Sprintf("s%d:1", n), "linux/amd64")
		fmt.Fprintf(&text, "FROM @@i%d:1 AS i%d\nFROM @@s%d:1 AS s%d\n", n, n, n, n)
	}
	text.WriteString("FROM scratch\n")
	for n := range 10 {
		fmt.Fprintf(&text, "COPY --from=i%d / /\nCOPY --from=s%d / /\n", n, n)
	}
	g.Reset()
	got, took := check(t, g, text.String(), "linux/amd64,linux/arm64")
	if n := len(g.Requests()); n != 30 || took.Round(time.Second/2) != 2*time.Second || len(got) != 10 {
		t.Errorf("%d requests in %s, %d findings; want 30 in 2s, and 10", n, took, len(got))
	}
}

// A registry that asks for a credential is a note: the builder may have one.
func TestDenied(t *testing.T) {
	g := imagetest.NewRegistry()
	g.Fault = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	got, _ := check(t, g, "FROM @@a:1", "linux/amd64")
	if len(got) != 1 || !strings.HasPrefix(got[0], "note: line 1: registry.test/a:1 was not looked up: reading registry.test/a:1: 403") {
		t.Errorf("%q", got)
	}
}

// There is an end to what a Dockerfile has looked up.
func TestMax(t *testing.T) {
	g := imagetest.NewRegistry()
	var text strings.Builder
	text.WriteString("FROM scratch\n")
	for n := range bases.Max + 5 {
		fmt.Fprintf(&text, "COPY --from=@@a%d / /\n", n)
	}
	got, _ := check(t, g, text.String(), "linux/amd64")
	if n := len(g.Requests()); n != bases.Max || !slices.Contains(got, "note: 5 more images were not looked up") {
		t.Errorf("%d requests, %q", n, got)
	}
}

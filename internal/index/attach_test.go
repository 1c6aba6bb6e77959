package index_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/sbom"
	"github.com/polyarch/polyarch/internal/verify"
)

// attachment makes one of a text.
func attachment(artifactType, p, text string) index.Attachment {
	digest, size, err := v1.SHA256(strings.NewReader(text))
	if err != nil {
		panic(err)
	}
	a := index.Attachment{
		ArtifactType: artifactType, Name: p + ".txt", Title: "text", Digest: digest, Size: size,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}
	if p != "" {
		of, err := platform.Parse(p)
		if err != nil {
			panic(err)
		}
		a.Platform = &of
	}
	if sbom.Is(artifactType) {
		if a.Packages, err = sbom.Read(strings.NewReader(text)); err != nil {
			panic(err)
		}
	}
	return a
}

// attachments are an SBOM and a report of each of the first platforms, and a
// report of the index.
func attachments(n int) []index.Attachment {
	all := []index.Attachment{attachment("text/plain", "", "of the index")}
	for _, p := range platforms[:n] {
		all = append(all, attachment("text/plain", p, "of "+p), attachment("application/spdx+json", p, fmt.Sprintf(`{"name":%q,"purl":"pkg:x/y?arch=%s"}`, p, imagetest.Arch(p))))
	}
	return all
}

// lacks returns what an index and its images lack of attachments.
func lacks(g *imagetest.Registry, repo, digest string, byTag bool) (missing []string) {
	var doc v1.IndexManifest
	if err := json.Unmarshal(g.Manifest(repo, digest), &doc); err != nil {
		return []string{"the index"}
	}
	want := map[string][]string{digest: {"text/plain"}}
	for _, d := range doc.Manifests {
		want[d.Digest.String()] = []string{"application/spdx+json", "text/plain"}
	}
	for subject, types := range want {
		var got []string
		for _, d := range listed(g, repo, subject, byTag) {
			var m v1.Manifest
			if err := json.Unmarshal(g.Manifest(repo, d.Digest.String()), &m); err != nil || m.Subject == nil || m.Subject.Digest.String() != subject {
				missing = append(missing, "a referrer of "+short(subject))
				continue
			}
			for _, b := range append(m.Layers, m.Config) {
				if !g.HasBlob(repo, b.Digest.String()) {
					missing = append(missing, "a file of "+short(subject))
				}
			}
			got = append(got, m.ArtifactType)
		}
		slices.Sort(got)
		if !slices.Equal(got, types) {
			missing = append(missing, fmt.Sprintf("what refers to %s: %v", short(subject), got))
		}
	}
	return missing
}

// listed returns what refers to a manifest, by the API or by the tag.
func listed(g *imagetest.Registry, repo, subject string, byTag bool) []v1.Descriptor {
	var list v1.IndexManifest
	b := g.Referrers(repo, subject)
	if byTag {
		b = g.Manifest(repo, strings.Replace(subject, ":", "-", 1))
	}
	json.Unmarshal(b, &list) // without one nothing is listed
	return list.Manifests
}

// Attachments cost two round trips, however many there are, and with a gate not
// one more; a registry that does not list referrers costs five more.
func TestRoundTripsOfAttachments(t *testing.T) {
	for _, n := range []int{1, 4, 16} {
		for _, nt := range []int{1, 3} {
			for _, fallback := range []bool{false, true} {
				g := filled(t, n)
				g.NoReferrers = fallback
				synctest.Test(t, func(t *testing.T) {
					network := imagetest.NewNetwork()
					defer network.Close()
					network.Serve(sourceHost, trip, g)
					cl := registry.New(registry.Options{Insecure: []string{sourceHost}, Transport: network.Transport()})
					started := time.Now()
					r, err := index.Stitch(t.Context(), index.Job{
						Client: cl, Sources: sources(sourceHost, n, false), Verify: verify.Off,
						Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(nt),
						Attach: attachments(n), Gate: func(context.Context, *index.Result) error { return nil },
					})
					if err != nil {
						t.Fatal(err)
					}
					files, subjects := 2*n+1, n+1
					// for each file and the empty config: asked for, sent; a manifest for each file; the index
					trips, requests := 3+2, 2*n+nt+2*(files+1)+files+1
					if nt > 1 {
						trips += 2
						requests += 2 * nt
					}
					if fallback { // the API, the list, the new one, a look at it, and one after the gate
						trips += 5
						requests += 5 * subjects
					}
					expect(t, g, time.Since(started), trips, requests)
					if missing := lacks(g, "app", r.Index.Digest.String(), fallback); missing != nil {
						t.Errorf("it lacks %v", missing)
					}
				})
			}
		}
	}
}

// One that fails between a list that others write too and the tags is found:
// what a gate writes over is listed again.
func TestAGateThatOverwritesTheList(t *testing.T) {
	g := filled(t, 1)
	g.NoReferrers = true
	r, err := index.Stitch(t.Context(), index.Job{
		Client: hosts{sourceHost: g}.client(), Sources: sources(sourceHost, 1, false), Verify: verify.Off,
		Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(1), Attach: attachments(1),
		Gate: func(_ context.Context, r *index.Result) error {
			putOldAs(t, g, "app", strings.Replace(r.Index.Digest.String(), ":", "-", 1), "of another writer")
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if missing := lacks(g, "app", r.Index.Digest.String(), true); missing != nil {
		t.Errorf("it lacks %v", missing)
	}
}

// What is attached refers to the image of its platform, to each of several for
// one platform, and to no other.
func TestWhatAttachmentsReferTo(t *testing.T) {
	g := imagetest.NewRegistry()
	for tag, s := range map[string]imagetest.Spec{
		"arm": {Platform: "linux/arm"}, "armv7": {Platform: "linux/arm/v7"}, "arm64": {Platform: "linux/arm64"},
		"win1": {Platform: "windows/amd64", OSVersion: "10.0.17763.1"}, "win2": {Platform: "windows/amd64", OSVersion: "10.0.20348.1"},
	} {
		push(t, g, "app:"+tag, s)
	}
	for _, c := range []struct{ sources, attach, want string }{
		{"arm armv7", "linux/arm", "linux/arm"},
		{"armv7 arm64", "linux/arm", "linux/arm/v7"},
		{"win1 win2", "windows/amd64", "windows/amd64 windows/amd64"},
		{"arm64", "linux/arm", "the index has linux/arm64"},
		{"arm64", "linux/arm64/v9", "the index has linux/arm64"},
	} {
		var words []string
		for w := range strings.FieldsSeq(c.sources) {
			words = append(words, sourceHost+"/app:"+w)
		}
		r, err := index.Stitch(t.Context(), index.Job{
			Client: hosts{sourceHost: g}.client(), Sources: parse(t, words...), Verify: verify.Off,
			Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(1), Attach: []index.Attachment{attachment("text/plain", c.attach, "text")},
		})
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s to %s: %v, want %s", c.attach, c.sources, err, c.want)
			}
			continue
		}
		var got []string
		for _, i := range r.Images {
			if len(i.Referrers) > 0 {
				got = append(got, i.Platform.String())
			}
			if n := len(listed(g, "app", i.Descriptor.Digest.String(), false)); (n > 0) != (len(i.Referrers) > 0) {
				t.Errorf("%s to %s: %s has %d referrers, and the result %d", c.attach, c.sources, i.Platform, n, len(i.Referrers))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s to %s: it refers to %v, want %s", c.attach, c.sources, got, c.want)
		}
	}
}

// A file that changes after it was looked at is not attached.
func TestAFileThatChanges(t *testing.T) {
	g := filled(t, 1)
	a := attachment("text/plain", "", "before")
	a.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte("after!"))), nil }
	_, err := index.Stitch(t.Context(), index.Job{
		Client: hosts{sourceHost: g}.client(), Sources: sources(sourceHost, 1, false), Verify: verify.Off,
		Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(1), Attach: []index.Attachment{a},
	})
	if err == nil || g.Tag("app", "v1") != "" {
		t.Errorf("%v; v1 names %q", err, g.Tag("app", "v1"))
	}
}

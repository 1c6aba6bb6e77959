package index_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

func list(t *testing.T, s string) platform.List {
	t.Helper()
	l, err := platform.ParseList(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// annotations returns those of app:v1 in a registry.
func annotations(t *testing.T, g *imagetest.Registry, repo string) map[string]string {
	t.Helper()
	var doc v1.IndexManifest
	if err := json.Unmarshal(g.Manifest(repo, "v1"), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Annotations
}

// That platforms may be missing costs nothing, whether they are or not.
func TestOptionalCostsNothing(t *testing.T) {
	for _, there := range []int{16, 15} {
		g := filled(t, there)
		synctest.Test(t, func(t *testing.T) {
			network := imagetest.NewNetwork()
			defer network.Close()
			network.Serve(sourceHost, trip, g)
			started := time.Now()
			r, err := index.Stitch(t.Context(), index.Job{
				Client:  registry.New(registry.Options{Insecure: []string{sourceHost}, Transport: network.Transport()}),
				Sources: sources(sourceHost, there, true), Verify: verify.Entrypoint, Optional: list(t, platforms[15]),
				Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(1),
			})
			if err != nil || len(r.Missing) != 16-there {
				t.Fatalf("%v, %+v", err, r)
			}
			expect(t, g, time.Since(started), 3, 3*there+1)
		})
	}
}

// An image that is seen to be wrong only when its layers were copied is left
// out as if it had never been there, and the older one stays.
func TestOptionalThatIsWrong(t *testing.T) {
	from, to := filled(t, 1), imagetest.NewRegistry()
	bad, err := imagetest.App("linux/arm64", "amd64", "bad").Push(sourceHost+"/app:bad", remote.WithTransport(from))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"linux/amd64", "linux/arm64"} {
		if _, err := imagetest.App(p, imagetest.Arch(p), "older").Push(targetHost+"/copy:"+slug(p), remote.WithTransport(to)); err != nil {
			t.Fatal(err)
		}
	}
	hosts := hosts{sourceHost: from, targetHost: to}
	job := index.Job{
		Client: hosts.client(), Sources: parse(t, targetHost+"/copy:linux_amd64", targetHost+"/copy:linux_arm64"), Verify: verify.Off,
		Target: registry.Repository{Host: targetHost, Path: "copy"}, Tags: []string{"v1"},
	}
	if _, err := index.Stitch(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	older := to.Tag("copy", "linux_arm64")
	job.Sources, job.Verify = parse(t, sourceHost+"/app:linux_amd64", sourceHost+"/app:bad=linux/arm64?"), verify.Entrypoint
	for _, appended := range []bool{true, false} {
		job.Append = appended
		r, err := index.Stitch(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if to.Manifest("copy", bad.String()) != nil {
			t.Error("the wrong image was pushed")
		}
		if len(r.Gaps) != 1 || !strings.Contains(r.Gaps[0].Why, "/app") {
			t.Fatalf("%+v", r.Gaps)
		}
		kept, missing := "", "linux/arm64"
		if appended {
			kept, missing = older, ""
		}
		if got := r.Gaps[0].Kept; appended && got.String() != kept || r.Missing.String() != missing || annotations(t, to, "copy")[index.MissingAnnotation] != missing {
			t.Errorf("appended %v: kept %s, missing %q, annotations %v", appended, got, r.Missing, annotations(t, to, "copy"))
		}
		if n := len(r.Images); n != map[bool]int{true: 2, false: 1}[appended] {
			t.Errorf("appended %v: %d images", appended, n)
		}
	}
	// It may not be all that is new.
	job.Sources = parse(t, sourceHost+"/app:bad=linux/arm64?")
	job.Append = true
	if _, err := index.Stitch(t.Context(), job); err == nil || !strings.Contains(err.Error(), "linux/arm64 is optional, and nothing else is there") {
		t.Error(err)
	}
}

// What an older index lacks stays written in it until it is there.
func TestMissingHeals(t *testing.T) {
	g := filled(t, 4) // amd64, arm64, arm/v7, s390x
	job := func(optional string, words ...string) index.Job {
		j := index.Job{
			Client: hosts{sourceHost: g}.client(), Verify: verify.Off, Append: true,
			Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: []string{"v1"},
		}
		for _, w := range words {
			j.Sources = append(j.Sources, parse(t, sourceHost+"/app:"+w)...)
		}
		if optional != "" {
			j.Optional = list(t, optional)
		}
		return j
	}
	for _, step := range []struct{ optional, source, missing string }{
		{"linux/arm64,linux/s390x", "linux_amd64", "linux/arm64,linux/s390x"},
		{"", "linux_arm_v7", "linux/arm64,linux/s390x"},
		{"linux/arm64,linux/s390x", "linux_arm64", "linux/s390x"},
		{"", "linux_s390x", ""},
	} {
		r, err := index.Stitch(t.Context(), job(step.optional, step.source))
		if err != nil {
			t.Fatal(err)
		}
		if got := annotations(t, g, "app")[index.MissingAnnotation]; got != step.missing || r.Missing.String() != step.missing {
			t.Errorf("%s: the annotation is %q and missing is %s, want %q", step.source, got, r.Missing, step.missing)
		}
	}
}

// A registry that refuses is not a platform that is missing.
func TestOptionalNeedsAnAnswer(t *testing.T) {
	s := scenarios(t)[0]
	s.prepare(t, "")
	f := &imagetest.Fault{Kind: "403", First: 1}
	f.On(s.from)
	synctest.Test(t, func(t *testing.T) {
		network := imagetest.NewNetwork()
		defer network.Close()
		network.Serve(sourceHost, trip, s.from)
		_, err := index.Stitch(t.Context(), index.Job{
			Client: client(network), Sources: sources(sourceHost, 2, true), Verify: verify.Off, Optional: list(t, "linux/arm64"),
			Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(1),
		})
		if err == nil || !strings.Contains(err.Error(), "403") {
			t.Error(err)
		}
	})
}

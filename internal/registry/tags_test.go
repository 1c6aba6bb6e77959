package registry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/registry"
)

// answering is a client of a server that answers every request with f.
func answering(t *testing.T, f http.HandlerFunc) (*registry.Client, registry.Repository) {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return registry.New(registry.Options{}), registry.Repository{Host: strings.TrimPrefix(s.URL, "http://"), Path: "app"}
}

func TestTagsOfSeveralPages(t *testing.T) {
	c, repo := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("last") {
		case "":
			w.Header().Set("Link", `</v2/app/tags/list?n=2&last=b>; rel="next"`)
			fmt.Fprint(w, `{"name":"app","tags":["a","b"]}`)
		case "b":
			fmt.Fprint(w, `{"name":"app","tags":["c"]}`)
		}
	})
	if tags, err := c.AllTags(t.Context(), repo); err != nil || strings.Join(tags, " ") != "a b c" {
		t.Errorf("%q %v", tags, err)
	}
	if tags, more, err := c.FirstTags(t.Context(), repo); err != nil || !more || strings.Join(tags, " ") != "a b" {
		t.Errorf("one page: %q %v %v", tags, more, err)
	}
}

// A registry decides neither how much is read nor where from.
func TestTagsOfAHostileRegistry(t *testing.T) {
	for name, c := range map[string]struct {
		page, link, want string
	}{
		"endless":      {`{"tags":["` + strings.Repeat(`a","`, 900) + `b"]}`, `</v2/app/tags/list?n=2>; rel="next"`, "more than 20000"},
		"another host": {`{"tags":["a"]}`, `<http://elsewhere.example/v2/app/tags/list>; rel="next"`, "the next page would be at elsewhere.example"},
		"no JSON":      {`<html>`, "", "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			client, repo := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if c.link != "" {
					w.Header().Set("Link", c.link)
				}
				fmt.Fprint(w, c.page)
			})
			if _, err := client.AllTags(t.Context(), repo); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
	// Pages without an end and without a tag end too.
	pages := 0
	client, repo := answering(t, func(w http.ResponseWriter, r *http.Request) {
		pages++
		w.Header().Set("Link", `</v2/app/tags/list?n=2>; rel="next"`)
		fmt.Fprint(w, `{"tags":null}`)
	})
	if tags, err := client.AllTags(t.Context(), repo); err == nil || pages != registry.MaxTags/20 {
		t.Errorf("%q %v after %d pages", tags, err, pages)
	}
}

// Some registries do not answer HEAD for blobs.
func TestHasBlob(t *testing.T) {
	d := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}
	for _, c := range []struct {
		head, get int
		want      bool
	}{{200, 0, true}, {404, 0, false}, {405, 200, true}, {405, 404, false}} {
		client, repo := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(c.head)
				return
			}
			w.WriteHeader(c.get)
		})
		if ok, _, err := client.HasBlob(t.Context(), repo, d); err != nil || ok != c.want {
			t.Errorf("HEAD %d, GET %d: %v %v", c.head, c.get, ok, err)
		}
	}
}

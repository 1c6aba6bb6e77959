package registry_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/registry"
)

func describe(t *testing.T, b []byte) v1.Descriptor {
	t.Helper()
	d, n, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v1.Descriptor{MediaType: types.OCILayer, Digest: d, Size: n}
}

// What a registry sends is what its digest and size say, or an error.
func TestContentIsWhatItsDigestSays(t *testing.T) {
	right := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
	d := describe(t, right)
	for name, c := range map[string]struct {
		body   string
		header string // Docker-Content-Digest
		ok     bool
	}{
		"right":          {string(right), "", true},
		"right and said": {string(right), d.Digest.String(), true},
		"other bytes":    {strings.Replace(string(right), "2", "3", 1), "", false},
		"longer":         {string(right) + " ", "", false},
		"shorter":        {string(right[:len(right)-1]), "", false},
		"nothing":        {"", "", false},
		"another digest": {string(right), "sha256:" + strings.Repeat("0", 64), false},
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Docker-Content-Digest", c.header)
				w.WriteHeader(http.StatusCreated)
				return
			}
			if c.header != "" {
				w.Header().Set("Docker-Content-Digest", c.header)
			}
			w.Write([]byte(c.body))
		})
		onNetwork(t, h, authn.AuthConfig{}, func(t *testing.T, cl *registry.Client) {
			_, err := cl.Manifest(t.Context(), app.Digest(d.Digest))
			if (err == nil) != c.ok {
				t.Errorf("%s: as a manifest: %v", name, err)
			}
			blobOK := c.ok || c.header != "" // which is of manifests
			if _, err := cl.Blob(t.Context(), app, d); (err == nil) != blobOK {
				t.Errorf("%s: as a config: %v", name, err)
			}
			r, err := cl.Open(t.Context(), app, d)
			if err == nil {
				_, err = io.ReadAll(r)
				r.Close()
			}
			if (err == nil) != blobOK {
				t.Errorf("%s: as a layer: %v", name, err)
			}
			if c.header != "" {
				err := cl.PutManifest(t.Context(), app.Tag("v1"), &registry.Manifest{MediaType: types.OCIImageIndex, Digest: d.Digest, Bytes: right})
				if (err == nil) != c.ok {
					t.Errorf("%s: storing: %v", name, err)
				}
			}
		})
	}
}

// A layer whose connection breaks is resumed where it broke, whether or not the
// registry supports ranges, and given up if it never gets further.
func TestALayerIsTakenUp(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	d := describe(t, body)
	for name, c := range map[string]struct {
		ranges, wrongRange bool
		piece              int // how much each answer has before it breaks
		ok                 bool
		requests           int
	}{
		"ranges":        {true, false, 300 << 10, true, 4},
		"a wrong range": {true, true, 300 << 10, false, 2},
		"no progress":   {true, false, 0, false, 6},
		"whole":         {false, false, len(body), true, 1},
	} {
		requests := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			from := 0
			if s, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && c.ranges {
				from, _ = strconv.Atoi(strings.TrimSuffix(s, fmt.Sprintf("-%d", len(body)-1)))
				start := from
				if c.wrongRange {
					start++
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(body)-1, len(body)))
				w.Header().Set("Content-Length", strconv.Itoa(len(body)-from))
				w.WriteHeader(http.StatusPartialContent)
			} else {
				w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			}
			w.Write(body[from:min(len(body), from+c.piece)])
			if from+c.piece < len(body) {
				http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
		})
		onNetwork(t, h, authn.AuthConfig{}, func(t *testing.T, cl *registry.Client) {
			r, err := cl.Open(t.Context(), app, d)
			var got []byte
			if err == nil {
				got, err = io.ReadAll(r)
				r.Close()
			}
			if (err == nil) != c.ok || c.ok && !bytes.Equal(got, body) || requests != c.requests {
				t.Errorf("%s: %d bytes in %d requests, %v", name, len(got), requests, err)
			}
		})
	}
}

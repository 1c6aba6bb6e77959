// Command floor makes an index with the fewest requests that the protocol
// allows, independent ones in parallel, and checks nothing: a lower bound for
// any tool.
//
//	floor SOURCE-HOST/REPO TARGET-HOST/REPO TAG,TAG DIGEST…
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
)

type descriptor struct {
	MediaType string            `json:"mediaType"`
	Digest    string            `json:"digest"`
	Size      int64             `json:"size"`
	Platform  map[string]string `json:"platform,omitempty"`
}

type manifest struct {
	MediaType string
	Config    descriptor
	Layers    []descriptor
	raw       []byte
}

type place struct{ host, repo string }

func (p place) url(path string) string { return "http://" + p.host + "/v2/" + p.repo + "/" + path }

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "floor: it wants SOURCE TARGET TAGS DIGEST…")
		os.Exit(2)
	}
	if err := run(at(os.Args[1]), at(os.Args[2]), strings.Split(os.Args[3], ","), os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func at(s string) place {
	host, repo, _ := strings.Cut(s, "/")
	return place{host, repo}
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}

func run(from, to place, tags, digests []string) error {
	children := make([]descriptor, len(digests))
	err := each(len(digests), func(n int) (err error) {
		children[n], err = child(from, to, digests[n])
		return err
	})
	if err != nil {
		return err
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children})
	if err != nil {
		return err
	}
	return each(len(tags), func(n int) error {
		return put(to.url("manifests/"+tags[n]), "application/vnd.oci.image.index.v1+json", bytes.NewReader(index), int64(len(index)))
	})
}

// each calls f for all numbers below n at once.
func each(n int, f func(int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func child(from, to place, digest string) (descriptor, error) {
	var m manifest
	var err error
	if m.raw, err = get(from.url("manifests/" + digest)); err != nil {
		return descriptor{}, err
	}
	if err := json.Unmarshal(m.raw, &m); err != nil {
		return descriptor{}, err
	}
	blobs := append([]descriptor{m.Config}, m.Layers...)
	platform := map[string]string{}
	err = each(len(blobs)+1, func(n int) error {
		if n < len(blobs) {
			if from == to {
				return nil
			}
			return blob(from, to, blobs[n])
		}
		b, err := get(from.url("blobs/" + m.Config.Digest))
		if err != nil {
			return err
		}
		var c struct{ OS, Architecture, Variant string }
		if err := json.Unmarshal(b, &c); err != nil {
			return err
		}
		platform = map[string]string{"os": c.OS, "architecture": c.Architecture}
		if c.Variant != "" {
			platform["variant"] = c.Variant
		}
		return nil
	})
	if err == nil && from != to {
		err = put(to.url("manifests/"+digest), m.MediaType, bytes.NewReader(m.raw), int64(len(m.raw)))
	}
	return descriptor{m.MediaType, digest, int64(len(m.raw)), platform}, err
}

// blob mounts a blob, or streams it, starting the download while the upload
// begins.
func blob(from, to place, d descriptor) error {
	begin := to.url("blobs/uploads/")
	if from.host == to.host {
		begin += "?" + url.Values{"mount": {d.Digest}, "from": {from.repo}}.Encode()
	}
	var where string
	var body io.ReadCloser
	err := each(2, func(n int) error {
		if n == 1 {
			if from.host == to.host {
				return nil
			}
			resp, err := client.Get(from.url("blobs/" + d.Digest))
			if err != nil {
				return err
			}
			body = resp.Body
			return nil
		}
		resp, err := client.Post(begin, "", nil)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusAccepted {
			u, err := resp.Location()
			if err != nil {
				return err
			}
			q := u.Query()
			q.Set("digest", d.Digest)
			u.RawQuery = q.Encode()
			where = u.String()
		}
		return nil
	})
	if body != nil {
		defer body.Close()
	}
	if err != nil || where == "" {
		return err
	}
	return put(where, "application/octet-stream", body, d.Size)
}

func get(u string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != 200 {
		err = fmt.Errorf("%s: %s", u, resp.Status)
	}
	return b, err
}

func put(u, mediaType string, body io.Reader, size int64) error {
	req, err := http.NewRequest(http.MethodPut, u, body)
	if err != nil {
		return err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", mediaType)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", u, resp.Status)
	}
	return nil
}

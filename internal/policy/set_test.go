package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/platform"
)

func list(t testing.TB, s string) platform.List {
	t.Helper()
	l, err := platform.ParseList(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestKeys(t *testing.T) {
	for _, c := range []struct{ repository, tag, want string }{
		{"docker.io/library/nginx", "1.27", "docker.io..library..nginx.-.1.27"},
		{"localhost:5000/a/b", "v1", "localhost.-.5000..a..b.-.v1"},
		{"ghcr.io/x", strings.Repeat("v", 128), "ghcr.io..x.-." + strings.Repeat("v", 128)},
		{"ghcr.io/" + strings.Repeat("x", 250), "v1", ""},
	} {
		if got, ok := TagKey(c.repository, c.tag); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s:%s: %q, %t, want %q", c.repository, c.tag, got, ok, c.want)
		}
	}
	if got := DigestKey("sha256:abc"); got != "sha256-abc" {
		t.Error(got)
	}
}

// A ConfigMap that has outgrown what the API server takes, or what an admission
// can read in a millisecond, is an error before anybody applies it.
func TestLimits(t *testing.T) {
	fill := func(images, length int) error {
		s := &Set{}
		s.Open("prod")
		for i := range images {
			s.Platforms("prod", fmt.Sprintf("ghcr.io..%0*d.-.v1", length, i), list(t, "linux/amd64,linux/arm64"))
			s.Platforms("prod", fmt.Sprintf("sha256-%064x", i), list(t, "linux/amd64,linux/arm64"))
		}
		_, err := s.Marshal()
		return err
	}
	if err := fill(maxImages, 40); err != nil {
		t.Errorf("%d images: %v", maxImages, err)
	}
	for _, c := range [][2]int{{maxImages + 1, 40}, {maxImages, 4000}} {
		if err := fill(c[0], c[1]); err == nil || !strings.Contains(err.Error(), "the ConfigMap polyarch-platforms of namespace prod would have") {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const head = "kind: ConfigMap\nmetadata: {name: polyarch-platforms}\n"
	for text, want := range map[string]string{
		"a: [":                        "did not find",
		head + "data: []\n":           "line 3: data is not a mapping",
		head + "data: {a: [b]}\n":     "line 3: data has a key or a value that is not a string",
		head + "data: {a: b, a: c}":   "line 3: data has the key a twice",
		head + "---\n" + head:         "the namespace it is applied to is there twice",
		head + "data: {<<: {a: b}}\n": "not a string",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What was added is there when the documents are read again, what was there
// stays, and adding it again changes nothing.
func FuzzAdd(f *testing.F) {
	for _, s := range []string{
		"", "---\n", "# nothing\n", "a: b\n---\nkind: ConfigMap\nmetadata: {name: polyarch-platforms}\n",
		"kind: ConfigMap\nmetadata:\n  name: polyarch-platforms # mine\ndata:\n  unknown: fail\n  a: |\n    b\n",
		`{"kind": "List", "items": [{"kind": "ConfigMap", "metadata": {"name": "polyarch-platforms", "namespace": "prod"}, "data": {"unknown": "fail"}}]}`,
		"kind: ConfigMap\nmetadata: {name: polyarch-platforms}\ndata: &d {a: b}\nbinaryData: *d\n",
		"kind: ConfigMap\nmetadata: {name: polyarch-platforms}\ndata: null\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse([]byte(text))
		if err != nil {
			return
		}
		const key = "ghcr.io..x.-.v1"
		before := map[string]string{}
		if m := s.of("prod"); m != nil {
			for k, v := range m.index {
				before[k] = v.Value
			}
		}
		add := func(s *Set) {
			s.Open("prod")
			s.Platforms("prod", key, list(t, "linux/arm64/v8,linux/amd64"))
		}
		add(s)
		out, err := s.Marshal()
		if err != nil {
			return
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("%v in\n%s", err, out)
		}
		before[key] = "linux/amd64,linux/arm64"
		m := again.of("prod")
		if m == nil {
			t.Fatalf("no ConfigMap in\n%s", out)
		}
		for k, v := range before {
			if m.index[k] == nil || m.index[k].Value != v {
				t.Fatalf("%q is not %q in\n%s", k, v, out)
			}
		}
		if add(again); again.Changed() {
			t.Fatalf("a second run changes\n%s", out)
		}
	})
}

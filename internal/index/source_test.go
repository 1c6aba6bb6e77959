package index

import (
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/registry"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var here = registry.Repository{Host: "ghcr.io", Path: "me/app"}

func TestParseSource(t *testing.T) {
	for in, want := range map[string]string{
		"localhost:5000/app:v1":           "localhost:5000/app:v1",
		" localhost:5000/app:v1=aarch64 ": "localhost:5000/app:v1=linux/arm64",
		"app=windows/amd64":               "app=windows/amd64",
		"oci:dir":                         "oci:dir",
		"oci:dir:v1=linux/arm/v7":         "oci:dir:v1=linux/arm/v7",
		"oci:a=b/c":                       "oci:a=b/c",
		digest + "=arm64":                 "ghcr.io/me/app@" + digest + "=linux/arm64",
		"app:v1=arm64?":                   "app:v1=linux/arm64?",
		"oci:dir:v1=arm64?":               "oci:dir:v1=linux/arm64?",
		"=arm64?":                         "=linux/arm64?",
		"app=?":                           `parsing source "app=?": parsing a platform`,
		"app?":                            `parsing source "app?": parsing repository`,
		"":                                `parsing source "": it names no image`,
		"=linux/arm64":                    `parsing source "=linux/arm64": it names no image`,
		"oci:":                            `parsing source "oci:": parsing "oci:": it names no folder`,
		"app=arm46":                       `parsing source "app=arm46": parsing platform "arm46": unknown architecture "arm46"`,
		"Me/app":                          `parsing source "Me/app": parsing repository "Me/app": "Me/app" is not a repository`,
	} {
		src, err := ParseSource(in, here)
		got := src.String()
		if err != nil {
			got = err.Error()
			if exit.CodeOf(err) != exit.Usage {
				t.Errorf("%s: exit code %d", in, exit.CodeOf(err))
			}
		}
		if len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// A source that is accepted reads back as itself.
func FuzzParseSource(f *testing.F) {
	for _, s := range []string{"a/b:c=arm64", "oci:x=y=linux/arm64", "=", "oci:=", "a=arm64?", "=arm64?", "oci:a=b?"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		src, err := ParseSource(s, here)
		if err != nil {
			return
		}
		again, err := ParseSource(src.String(), here)
		if err != nil || again.String() != src.String() {
			t.Fatalf("%q is %q, which reads back as %q, %v", s, src, again, err)
		}
	})
}

func TestReadSources(t *testing.T) {
	one, two := "ghcr.io/me/app@"+digest+"=linux/amd64", "ghcr.io/me/app:v1_linux_arm64=linux/arm64"
	for name, c := range map[string]struct{ in, want string }{
		"lines":           {"# built\n\n" + one + "\r\n  " + two + "\n", one + " " + two},
		"array":           {`["` + one + `", "` + two + `"]`, one + " " + two},
		"outputs":         {`{"b":"` + two + `","a":"` + one + `","cached":"true","tag":"v1","url":"https://x/y?z=1"}`, one + " " + two},
		"needs":           {`{"build":{"result":"success","outputs":{"image":"` + one + `","same":"` + one + `"}},"test":{"result":"success","outputs":{}}}`, one},
		"array in output": {`{"images":"[\"` + one + `\",\"` + two + `\"]"}`, one + " " + two},
		"lines in output": {`{"images":"` + one + `\n` + two + `"}`, one + " " + two},
		"digests alone":   {`{"a":"` + digest + `=linux/amd64"}`, one},
		"gaps":            {`{"a":"` + one + `","b":"=linux/arm64?"}`, one + " =linux/arm64?"},
		"layout":          {"oci:out:v1=linux/amd64", "oci:out:v1=linux/amd64"},
		"nothing":         {"# nothing\n", "reading sources from f: there is none in it"},
		"no image":        {`{"cached":"true"}`, "reading sources from f: there is none in it"},
		"bad line":        {one + "\nx y", `reading sources from f: line 2: parsing source "x y"`},
		"bad JSON":        {"[\"a\",\n", "reading sources from f: it is not JSON"},
		"bad element":     {"[1]", "reading sources: element 1 of the array is not a string"},
		"bad platform":    {`{"a":"` + one + `x"}`, `reading sources from f: a: parsing source`},
	} {
		sources, err := ReadSources(strings.NewReader(c.in), "f", here)
		var words []string
		for _, s := range sources {
			words = append(words, s.String())
		}
		got := strings.Join(words, " ")
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) || err == nil && got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func FuzzReadSources(f *testing.F) {
	for _, s := range []string{"a/b:c=arm64\n#x", `["a"]`, `{"a":{"b":["oci:x"]}}`, "[", `{"a":"[\"x@sha256:\"]"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sources, err := ReadSources(strings.NewReader(s), "f", here)
		if err == nil && len(sources) == 0 {
			t.Error("no source and no error")
		}
		for _, src := range sources {
			if again, err := ParseSource(src.String(), here); err != nil || again.String() != src.String() {
				t.Errorf("%q reads back as %q, %v", src, again, err)
			}
		}
	})
}

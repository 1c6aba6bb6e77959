package index

import (
	"testing"

	"github.com/polyarch/polyarch/internal/exit"
)

func TestParseSource(t *testing.T) {
	for in, want := range map[string]string{
		"localhost:5000/app:v1":           "localhost:5000/app:v1",
		" localhost:5000/app:v1=aarch64 ": "localhost:5000/app:v1=linux/arm64",
		"app=windows/amd64":               "app=windows/amd64",
		"oci:dir":                         "oci:dir",
		"oci:dir:v1=linux/arm/v7":         "oci:dir:v1=linux/arm/v7",
		"oci:a=b/c":                       "oci:a=b/c",
		"":                                `parsing source "": it names no image`,
		"=linux/arm64":                    `parsing source "=linux/arm64": it names no image`,
		"oci:":                            `parsing source "oci:": it names no folder`,
		"app=arm46":                       `parsing source "app=arm46": parsing platform "arm46": unknown architecture "arm46"`,
		"Me/app":                          `parsing source "Me/app": parsing repository "Me/app": "Me/app" is no repository`,
	} {
		src, err := ParseSource(in)
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
	for _, s := range []string{"a/b:c=arm64", "oci:x=y=linux/arm64", "=", "oci:="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		src, err := ParseSource(s)
		if err != nil {
			return
		}
		again, err := ParseSource(src.String())
		if err != nil || again.String() != src.String() {
			t.Fatalf("%q is %q, which reads back as %q, %v", s, src, again, err)
		}
	})
}

package platform

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"linux/amd64":      "linux/amd64",
		"arm64":            "linux/arm64",
		" ARM64 ":          "linux/arm64",
		"linux/x86_64":     "linux/amd64",
		"aarch64":          "linux/arm64",
		"linux/arm64/v8":   "linux/arm64",
		"linux/arm64/8":    "linux/arm64",
		"arm64/v8.0":       "linux/arm64",
		"arm64/v9":         "linux/arm64/v9",
		"armhf":            "linux/arm/v7",
		"linux/armhf/v7":   "linux/arm/v7",
		"linux/arm/7":      "linux/arm/v7",
		"arm/v6":           "linux/arm/v6",
		"linux/arm":        "linux/arm",
		"amd64/v1":         "linux/amd64",
		"linux/amd64/v3":   "linux/amd64/v3",
		"windows/amd64":    "windows/amd64",
		"macos/aarch64":    "darwin/arm64",
		"linux/loong64":    "linux/loong64",
		"linux/ppc64el":    "linux/ppc64le",
		"wasip1/wasm":      "wasip1/wasm",
		"linux/386":        "linux/386",
		"riscv64/rva22u64": "linux/riscv64/rva22u64",
	} {
		p, err := Parse(in)
		if err != nil || p.String() != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", in, p, err, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "it is empty",
		"linux/arm46":      `unknown architecture "arm46"; did you mean "arm64"?`,
		"linux/amd46":      `did you mean "amd64"?`,
		"linux/adm64":      `did you mean "amd64"?`,
		"linux/aarch46":    `did you mean "arm64"?`,
		"linus/amd64":      `unknown operating system "linus"; did you mean "linux"?`,
		"linux/arm/v9":     `unknown variant of arm "v9"; did you mean`,
		"linux/s390x/z15":  `unknown variant of s390x "z15"`,
		"linux/vax780":     "known are 386, amd64",
		"linux":            "names an operating system alone; write linux/amd64",
		"linux/amd64/v2/x": "it has 4 parts",
		"linux/armhf/v6":   "already means arm/v7",
		"linux//amd64":     `unknown architecture ""`,
		"linux/amd64\nx=1": "unknown architecture",
		"arm64/linux/v8":   "the operating system comes first",
	} {
		_, err := Parse(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): error %v, want one with %q", in, err, want)
		}
	}
	var u *UnknownError
	if _, err := Parse("linux/arm46"); !errors.As(err, &u) || u.Nearest != "arm64" {
		t.Errorf("an unknown name is no *UnknownError with the nearest: %#v", err)
	}
}

func TestParseList(t *testing.T) {
	want := "linux/amd64,linux/arm64"
	for _, in := range []string{
		"linux/arm64,linux/amd64", "arm64 amd64", "arm64,\n amd64,", `["linux/arm64","x86_64"]`, " [\"arm64\",\n\"amd64\"]\n", "amd64,arm64,aarch64",
	} {
		l, err := ParseList(in)
		if err != nil || l.String() != want {
			t.Errorf("ParseList(%q) = %q, %v; want %q", in, l, err, want)
		}
	}
	for _, in := range []string{"", " ,\n", "[]", `["linux/amd64"`, `[1]`, "linux/amd64;linux/arm64"} {
		if l, err := ParseList(in); err == nil {
			t.Errorf("ParseList(%q) = %q, want an error", in, l)
		}
	}
}

func TestFromConfig(t *testing.T) {
	for _, c := range []struct{ os, arch, variant, want string }{
		{"linux", "arm64", "v8", "linux/arm64"},
		{"Linux", "AMD64", "", "linux/amd64"},
		{"linux", "arm", "7", "linux/arm/v7"},
		{"linux", "sw64", "", "linux/sw64"},
		{"linux", "aarch64", "", "linux/arm64"},
	} {
		p, err := FromConfig(c.os, c.arch, c.variant)
		if err != nil || p.String() != c.want {
			t.Errorf("FromConfig(%q, %q, %q) = %q, %v; want %q", c.os, c.arch, c.variant, p, err, c.want)
		}
	}
	for _, c := range [][3]string{{"", "amd64", ""}, {"linux", "", ""}, {"linux", "a/b", ""}, {"linux\n", "amd64", ""}, {"linux", "amd64", "\x1b[2J"}} {
		if p, err := FromConfig(c[0], c[1], c[2]); err == nil {
			t.Errorf("FromConfig(%q) = %q, want an error", c, p)
		}
	}
}

func TestCovers(t *testing.T) {
	arm, v7, v6 := must(t, "arm"), must(t, "arm/v7"), must(t, "arm/v6")
	if !arm.Covers(v7) || v7.Covers(arm) || v7.Covers(v6) || !v6.Covers(v6) || arm.Covers(must(t, "arm64")) {
		t.Error("Covers: an open variant takes any, a set one only itself")
	}
}

func TestListSets(t *testing.T) {
	l, _ := ParseList("arm/v7,arm/v6,amd64")
	m, _ := ParseList("amd64,arm64")
	got := map[string]string{
		"union": l.Union(m).String(), "both": l.Intersect(m).String(), "nodes": l.Nodes().String(),
		"arches": strings.Join(l.Arches(), " "), "slug": l[2].Slug(), "unchanged": l.String(),
	}
	want := map[string]string{
		"union": "linux/amd64,linux/arm/v6,linux/arm/v7,linux/arm64", "both": "linux/amd64", "nodes": "linux/amd64,linux/arm",
		"arches": "amd64 arm", "slug": "linux_arm_v7", "unchanged": "linux/amd64,linux/arm/v6,linux/arm/v7",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	b, err := json.Marshal(l)
	var back List
	if err == nil {
		err = json.Unmarshal(b, &back)
	}
	if err != nil || string(b) != `["linux/amd64","linux/arm/v6","linux/arm/v7"]` || !cmp.Equal(back, l) {
		t.Errorf("JSON: %s, %v, %v", b, back, err)
	}
}

func must(t *testing.T, s string) Platform {
	t.Helper()
	p, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What Parse accepts, it prints in a form that it reads back as the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"linux/arm64/v8", "armhf", "arm64", "a/b/c/d", "linux/arm/v7", "x86_64\n", "[\"arm64\"]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(p.String())
		if err != nil || again != p {
			t.Fatalf("Parse(%q) = %q, read back as %q, %v", s, p, again, err)
		}
		if q, err := FromConfig(p.OS, p.Arch, p.Variant); err != nil || q != p {
			t.Fatalf("FromConfig of %q = %q, %v", p, q, err)
		}
		if strings.ContainsAny(p.String(), " ,\n\r\t=;") {
			t.Fatalf("%q holds a separator", p)
		}
	})
}

// A list that is accepted is sorted, free of duplicates, and reads back as itself.
func TestBlankFlagAddsNothing(t *testing.T) {
	var l List
	for _, s := range []string{"", " \n", "arm64", ""} {
		if err := l.Set(s); err != nil {
			t.Errorf("Set(%q): %v", s, err)
		}
	}
	if got := l.String(); got != "linux/arm64" {
		t.Errorf("got %q", got)
	}
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{"linux/amd64,linux/arm64", `["arm64","amd64"]`, "arm64\namd64 , x86_64", "[", "[]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseList(s)
		if err != nil {
			return
		}
		if len(l) == 0 {
			t.Fatalf("ParseList(%q) is empty without an error", s)
		}
		again, err := ParseList(l.String())
		if err != nil || !cmp.Equal(l, again) {
			t.Fatalf("ParseList(%q) = %q, read back as %q, %v", s, l, again, err)
		}
		if !cmp.Equal(l, NewList(l...)) {
			t.Fatalf("ParseList(%q) = %q is not in order", s, l)
		}
	})
}

package sbom_test

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/sbom"
)

func read(t *testing.T, text string) *sbom.Packages {
	t.Helper()
	p, err := sbom.Read(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// spdx, cyclonedx, xml and tag are the four ways in which a package URL stands
// in a bill of materials.
func spdx(purls ...string) string {
	var all []string
	for _, p := range purls {
		all = append(all, fmt.Sprintf(`{"name":"x","externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":%q}]}`, p))
	}
	return `{"spdxVersion":"SPDX-2.3","packages":[` + strings.Join(all, ",") + `]}`
}

func cyclonedx(purls ...string) string {
	var all []string
	for _, p := range purls {
		all = append(all, fmt.Sprintf(`{"type":"library","bom-ref":%q,"purl":%q}`, p+"&package-id=1", strings.ReplaceAll(p, "&", "&")))
	}
	return strings.ReplaceAll(`{"bomFormat":"CycloneDX","components":[`+strings.Join(all, ",")+`]}`, "&", `\u0026`)
}

func xml(purls ...string) string {
	s := `<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.6">`
	for _, p := range purls {
		s += "<component><purl>" + strings.ReplaceAll(p, "&", "&amp;") + "</purl></component>"
	}
	return s + "</bom>"
}

func tag(purls ...string) string {
	s := "SPDXVersion: SPDX-2.3\n"
	for _, p := range purls {
		s += "ExternalRef: PACKAGE-MANAGER purl " + p + "\n"
	}
	return s
}

func TestArchitectures(t *testing.T) {
	for purl, want := range map[string]string{
		"pkg:deb/debian/libc6@2.36?arch=amd64&distro=debian-12":           "amd64",
		"pkg:deb/debian/libc6@2.36?distro=debian-12&arch=arm64":           "arm64",
		"pkg:deb/debian/adduser@3.1?arch=all":                             "",
		"pkg:deb/debian/bash@5?arch=source":                               "",
		"pkg:deb/debian/libc6@2.36?arch=armhf":                            "arm",
		"pkg:deb/ubuntu/libc6@2.42?arch=amd64v3":                          "amd64",
		"pkg:rpm/fedora/bash@5?arch=x86_64&epoch=1":                       "amd64",
		"pkg:rpm/almalinux/bash@5?arch=x86_64_v2":                         "amd64",
		"pkg:rpm/fedora/bash@5?arch=armv7hl":                              "arm",
		"pkg:rpm/fedora/tzdata@5?arch=noarch":                             "",
		"pkg:apk/alpine/musl@1.2?arch=aarch64":                            "arm64",
		"pkg:apk/alpine/musl@1.2?arch=x86":                                "386",
		"pkg:alpm/arch/pacman@6?arch=any":                                 "",
		"pkg:conda/numpy@1?subdir=linux-aarch64":                          "arm64",
		"pkg:conda/numpy@1?subdir=linux-64":                               "amd64",
		"pkg:conda/six@1?subdir=noarch":                                   "",
		"pkg:golang/std@1.26?goos=linux&goarch=s390x&type=module":         "s390x",
		"pkg:oci/app@sha256%3Aab?arch=riscv64&repository_url=ghcr.io/app": "riscv64",
		"pkg:npm/left-pad@1.0":                                            "",
		"pkg:generic/x@1?arch=vax":                                        "",
		"pkg:generic/x@1#arch=amd64":                                      "",
		"https://example.com/?arch=amd64":                                 "",
	} {
		for form, of := range map[string]func(...string) string{"SPDX": spdx, "CycloneDX": cyclonedx, "XML": xml, "tag-value": tag} {
			if got := strings.Join(read(t, of(purl)).Architectures(), ","); got != want {
				t.Errorf("%s of %s: %q, want %q", purl, form, got, want)
			}
		}
	}
}

func TestContradictions(t *testing.T) {
	amd64, arm64 := "pkg:deb/debian/libc6@2.36?arch=amd64", "pkg:deb/debian/libc6@2.36?arch=arm64"
	i386, all := "pkg:deb/debian/libc6@2.36?arch=i386", "pkg:deb/debian/adduser@3?arch=all"
	for _, c := range []struct {
		purls []string
		archs []string
		want  string
	}{
		{[]string{amd64, all}, []string{"amd64"}, ""},
		{[]string{all}, []string{"arm64"}, ""},
		{[]string{amd64, all}, []string{"arm64"}, "1 package for amd64, such as " + amd64},
		{[]string{amd64, arm64}, []string{"arm64"}, "1 package for amd64, such as " + amd64},
		{[]string{amd64, arm64}, []string{"arm64", "amd64"}, ""},
		{[]string{amd64, i386}, []string{"amd64"}, ""}, // as Debian mixes them
		{[]string{i386}, []string{"amd64"}, "1 package for 386, such as " + i386},
		{[]string{amd64, i386}, []string{"386"}, "1 package for amd64, such as " + amd64},
	} {
		if got := read(t, spdx(c.purls...)).Contradicts(c.archs...); got != c.want {
			t.Errorf("%v for %v: %q, want %q", c.purls, c.archs, got, c.want)
		}
	}
	var many []string
	for n := range 40 {
		many = append(many, fmt.Sprintf("pkg:apk/alpine/p%d@1?arch=x86_64", n))
	}
	if got := read(t, cyclonedx(many...)).Contradicts("arm64"); !strings.HasPrefix(got, "40 packages for amd64, such as ") || strings.Count(got, "pkg:") != 3 {
		t.Error(got)
	}
}

func TestWhatIsNoBillOfMaterials(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "it is empty",
		"  \n":                          "it is empty",
		`{"spdxVersion":"SPDX-2.3","pa`: "it is not JSON",
		`{"packages":[`:                 "it is not JSON: it ends too early",
		`{"a":1}}`:                      "it is not JSON",
	} {
		if _, err := sbom.Read(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if !sbom.Is("application/spdx+json") || !sbom.Is("application/vnd.cyclonedx+xml") || sbom.Is("application/sarif+json") {
		t.Error("what a bill of materials is")
	}
}

// endless repeats a text.
type endless struct {
	text string
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+len(e.text) <= len(p) {
		n += copy(p[n:], e.text)
	}
	n = max(n, copy(p, e.text[:min(len(e.text), len(p))]))
	e.left -= n
	return n, nil
}

// A long one is read in little memory, or refused.
func TestMemory(t *testing.T) {
	for name, r := range map[string]io.Reader{
		"a string without end": io.MultiReader(strings.NewReader(`{"a":"`), &endless{"pkg:x?arch=amd64&x=", 60 << 20}),
		"brackets":             &endless{"[", 60 << 20},
		"a word without end":   &endless{"pkg:x?arch=amd64&x=", 60 << 20},
		"many words":           &endless{"pkg:x/y@1?arch=amd64 ", 60 << 20},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := sbom.Read(r)
		runtime.ReadMemStats(&after)
		json := slices.Contains([]string{"a string without end", "brackets"}, name)
		if json != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.HeapSys - min(after.HeapSys, before.HeapSys); used > 256<<20 {
			t.Errorf("%s: %d MB", name, used>>20)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(spdx("pkg:deb/debian/libc6@2.36?arch=amd64"))
	f.Add(xml("pkg:deb/debian/libc6@2.36?arch=amd64&distro=x"))
	f.Add(tag("pkg:conda/numpy@1?subdir=linux-64"))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := sbom.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		if said := p.Contradicts(p.Architectures()...); said != "" {
			t.Errorf("it contradicts itself: %s", said)
		}
		if (p.Contradicts() != "") != (len(p.Architectures()) > 0) {
			t.Error("nothing contradicts no architecture")
		}
	})
}

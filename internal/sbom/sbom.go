package sbom

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
)

// MaxJSON is how long a bill of materials in JSON may be, in bytes: its longest
// string is held in memory, several times.
const MaxJSON = 48 << 20

// Is reports whether files of a media type are bills of materials: SPDX,
// CycloneDX or Syft's own.
func Is(mediaType string) bool {
	t := strings.ToLower(mediaType)
	return strings.Contains(t, "spdx") || strings.Contains(t, "cyclonedx") || strings.Contains(t, "syft")
}

// Packages are the packages of a bill of materials that say their architecture,
// in the qualifiers of their package URLs.
type Packages struct {
	of map[string]*some // by architecture
}

type some struct {
	n        int
	examples []string
	seen     map[string]bool
}

const (
	maxExamples = 3
	maxSeen     = 50_000 // package URLs that are told apart
	maxURL      = 2 << 10
	maxDepth    = 1000
)

// Read reads a bill of materials: JSON has to be well-formed, of other formats
// (XML, SPDX's tag-value) the package URLs are found.
func Read(r io.Reader) (*Packages, error) {
	p := &Packages{of: map[string]*some{}}
	b := bufio.NewReaderSize(r, 64<<10)
	for {
		c, err := b.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty")
		}
		if err != nil {
			return nil, err
		}
		if strings.ContainsRune(" \t\r\n\uFEFF\xef\xbb\xbf", rune(c)) {
			continue
		}
		if err := b.UnreadByte(); err != nil {
			return nil, err
		}
		if c == '{' || c == '[' {
			return p, p.json(b)
		}
		return p, p.text(b)
	}
}

// json adds the package URLs among the strings of a JSON document.
func (p *Packages) json(r io.Reader) error {
	limited := &io.LimitedReader{R: r, N: MaxJSON + 1}
	d := json.NewDecoder(limited)
	depth := 0
	for {
		t, err := d.Token()
		switch {
		case limited.N == 0:
			return fmt.Errorf("it is longer than %d MB", MaxJSON>>20)
		case errors.Is(err, io.EOF) && depth == 0:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("it is not JSON: it ends too early")
		case err != nil:
			return fmt.Errorf("it is not JSON: %w", err)
		}
		switch t := t.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
			if depth > maxDepth {
				return fmt.Errorf("it is not a bill of materials: it is nested more than %d deep", maxDepth)
			}
		case string:
			p.add(t)
		}
	}
}

// text adds the package URLs in a text.
func (p *Packages) text(r *bufio.Reader) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), 1<<20)
	s.Split(words)
	for s.Scan() {
		if w := s.Bytes(); bytes.HasPrefix(w, []byte("pkg:")) {
			p.add(strings.ReplaceAll(string(w), "&amp;", "&"))
		}
	}
	return s.Err()
}

// words splits at blanks, quotes and angle brackets, which no package URL has.
func words(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexAny(data, " \t\r\n\"'<>"); i >= 0 {
		return i + 1, data[:i], nil
	}
	if len(data) > maxURL {
		return len(data), nil, nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// add counts a package URL; any other string does not count.
func (p *Packages) add(s string) {
	if !strings.HasPrefix(s, "pkg:") || len(s) > maxURL {
		return
	}
	arch := architecture(s)
	if arch == "" {
		return
	}
	of := p.of[arch]
	if of == nil {
		of = &some{seen: map[string]bool{}}
		p.of[arch] = of
	}
	// once as a package, and again wherever it is referred to: Syft then adds an
	// identifier of its own
	s, _, _ = strings.Cut(s, "&package-id=")
	s, _, _ = strings.Cut(s, "?package-id=")
	if of.seen[s] {
		return
	}
	if len(of.seen) < maxSeen {
		of.seen[s] = true
	}
	of.n++
	if len(of.examples) < maxExamples {
		of.examples = append(of.examples, s)
	}
}

// architecture returns the architecture that a package URL says, "" if it says
// none that is known, or any. Sources: package-url/purl-spec, PURL-TYPES (alpm,
// apk, deb, oci and rpm have arch, conda has subdir); cyclonedx-gomod (goarch).
func architecture(url string) string {
	url, _, _ = strings.Cut(url, "#")
	_, qualifiers, _ := strings.Cut(url, "?")
	for q := range strings.SplitSeq(qualifiers, "&") {
		key, value, _ := strings.Cut(q, "=")
		value = strings.ToLower(value)
		switch strings.ToLower(key) {
		case "arch", "goarch":
		case "subdir":
			_, value, _ = strings.Cut(value, "-")
			if value == "64" {
				value = "amd64"
			} else if value == "32" {
				value = "386"
			}
		default:
			continue
		}
		if a := known(value); a != "" {
			return a
		}
	}
	return ""
}

// known returns an architecture by Go's name. Distributions that build for
// levels of amd64 name those (x86_64_v3, amd64v3), and RPM the float unit of arm.
func known(name string) string {
	for _, level := range []string{"_v2", "_v3", "_v4", "v2", "v3", "v4"} {
		if base := strings.TrimSuffix(name, level); base == "x86_64" || base == "amd64" {
			name = base
		}
	}
	if strings.HasPrefix(name, "armv") {
		name = "arm"
	}
	p, err := platform.Parse("linux/" + name)
	if err != nil {
		return ""
	}
	return p.Arch
}

// Architectures returns the architectures that packages are for, sorted.
func (p *Packages) Architectures() []string { return slices.Sorted(maps.Keys(p.of)) }

// runs are architectures whose programs an architecture's processors run, as
// distributions mix their packages.
var runs = map[string]string{"amd64": "386", "arm64": "arm"}

// Contradicts reports whether packages are for another architecture than all of
// those given: for example "312 packages for amd64, such as pkg:deb/…". It
// returns "" where nothing contradicts.
func (p *Packages) Contradicts(archs ...string) string {
	var wrong []string
	for _, a := range p.Architectures() {
		fits := slices.ContainsFunc(archs, func(want string) bool {
			return a == want || a == runs[want] && p.of[want] != nil // beside packages of its own
		})
		if !fits {
			wrong = append(wrong, a)
		}
	}
	var said []string
	for _, a := range wrong {
		of := p.of[a]
		packages := "packages"
		if of.n == 1 {
			packages = "package"
		}
		said = append(said, fmt.Sprintf("%d %s for %s, such as %s", of.n, packages, a, strings.Join(of.examples, ", ")))
	}
	return strings.Join(said, "; ")
}

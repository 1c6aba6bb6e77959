package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/sbom"
)

// maxAttachment is how long a file may be that is attached, in bytes.
const maxAttachment = 1 << 30

// slugMark stands for each platform in the name of a file, linux_arm64.
const slugMark = "{platform}"

// artifactType is a media type without parameters (RFC 6838, section 4.2), as
// the OCI image specification asks for (manifest.md, artifactType).
var artifactType = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$`)

// attachments reads the files of --attach.
func (c *config) attachments() ([]index.Attachment, error) {
	var all []index.Attachment
	for _, line := range c.attach {
		some, err := parseAttachment(line)
		if err != nil {
			return nil, err
		}
		for n := range some {
			if err := readAttachment(&some[n]); err != nil {
				return nil, exit.Failf("attaching %s: %w", some[n].Name, err)
			}
		}
		all = append(all, some...)
	}
	return all, nil
}

// parseAttachment reads [PLATFORM:]TYPE=FILE, which is several files if each
// image has one.
func parseAttachment(line string) ([]index.Attachment, error) {
	what, file, ok := strings.Cut(line, "=")
	if !ok || file == "" {
		return nil, exit.Usagef("flag --attach: %q is not [PLATFORM:]TYPE=FILE", line).Hint("for example linux/arm64:application/spdx+json=arm64.spdx.json")
	}
	a := index.Attachment{ArtifactType: what, Name: file}
	if of, rest, ok := strings.Cut(what, ":"); ok {
		p, err := platform.Parse(of)
		if err != nil {
			return nil, exit.Usagef("flag --attach: %w", err)
		}
		a.Platform, a.ArtifactType = &p, rest
	}
	switch t := strings.ToLower(a.ArtifactType); {
	case !artifactType.MatchString(t):
		return nil, exit.Usagef("flag --attach: %q is not a media type", a.ArtifactType).
			Hint("for example application/spdx+json, application/vnd.cyclonedx+json or application/sarif+json")
	case strings.HasPrefix(t, "application/vnd.oci.") || strings.HasPrefix(t, "application/vnd.docker."):
		return nil, exit.Usagef("flag --attach: %s is what images are made of: clients would take the file for one", a.ArtifactType)
	}
	if !strings.Contains(file, slugMark) {
		return []index.Attachment{a}, nil
	}
	if a.Platform != nil {
		a.Name = strings.ReplaceAll(file, slugMark, a.Platform.Slug())
		return []index.Attachment{a}, nil
	}
	return eachFile(a)
}

// eachFile returns the files that are there under a name with {platform} in it.
func eachFile(a index.Attachment) ([]index.Attachment, error) {
	quote := strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`)
	if filepath.Separator == '\\' { // which quotes nothing there
		quote = strings.NewReplacer("*", "?", "[", "?")
	}
	paths, err := filepath.Glob(strings.ReplaceAll(quote.Replace(a.Name), slugMark, "*"))
	if err != nil {
		return nil, exit.Usagef("flag --attach: %s: %w", a.Name, err)
	}
	var all []index.Attachment
	for _, path := range paths {
		if p, ok := namedFor(a.Name, path); ok {
			one := a
			one.Each, one.Platform, one.Name = true, &p, path
			all = append(all, one)
		}
	}
	if len(all) == 0 {
		return nil, exit.Failf("attaching %s: there is no such file", a.Name).
			Hint("%s stands for a platform, for example %s", slugMark, strings.ReplaceAll(a.Name, slugMark, "linux_arm64"))
	}
	return all, nil
}

// namedFor returns the platform that stands in a path where the name has
// {platform}.
func namedFor(name, path string) (p platform.Platform, ok bool) {
	before, _, _ := strings.Cut(filepath.Clean(name), slugMark)
	rest := strings.TrimPrefix(path, before)
	for end := len(rest); end > 0; end-- {
		p, err := platform.Parse(strings.ReplaceAll(rest[:end], "_", "/"))
		if err == nil && filepath.Clean(strings.ReplaceAll(name, slugMark, p.Slug())) == path {
			return p, true
		}
	}
	return p, false
}

// readAttachment reads the digest of a file, and of a bill of materials its
// packages.
func readAttachment(a *index.Attachment) error {
	path := a.Name
	a.Title = filepath.Base(path)
	a.Open = func() (io.ReadCloser, error) { return os.Open(path) }
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is not a regular file")
	case info.Size() == 0:
		return fmt.Errorf("it is empty")
	case info.Size() > maxAttachment:
		return fmt.Errorf("it is longer than %d MB", maxAttachment>>20)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if a.Digest, a.Size, err = v1.SHA256(io.LimitReader(f, maxAttachment)); err != nil || !sbom.Is(a.ArtifactType) {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	a.Packages, err = sbom.Read(f)
	return err
}

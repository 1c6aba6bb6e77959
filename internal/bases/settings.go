package bases

import (
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
)

// wanted returns a base that an image is built on for the platforms.
func wanted(ref, by string, line int, platforms platform.List) Base {
	b := Base{Ref: ref, By: by, Line: line}
	for _, p := range platforms {
		b.Uses = append(b.Uses, Use{Platform: p, Result: true})
	}
	return b
}

// settingLine is KEY: VALUE, as most people write YAML.
var settingLine = regexp.MustCompile(`^(\s*)["']?([^\s"'#:][^"'#]*?)["']?\s*:(?:\s+(.*?))?\s*$`)

// Ko returns the base that ko builds a package on, by the text of its .ko.yaml:
// https://ko.build/configuration/. It is nil where the file does not say one,
// and an error where it is written in a way that is not read here: flow style,
// anchors. Keys are compared as ko does, whatever their letters.
func Ko(text, importPath string, platforms platform.List) (*Base, error) {
	var base *Base
	overrides, indent := false, 0
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if t := strings.TrimSpace(line); t == "" || strings.HasPrefix(t, "#") || t == "---" {
			continue
		}
		m := settingLine.FindStringSubmatch(line)
		if m == nil {
			if overrides && line[0] == ' ' {
				return nil, fmt.Errorf("line %d is not KEY: VALUE", n+1)
			}
			continue // an item of another setting
		}
		key, value := strings.ToLower(m[2]), scalar(m[3])
		if m[1] == "" {
			overrides, indent = key == "baseimageoverrides", 0
		}
		switch {
		case m[1] == "" && key == "defaultbaseimage" && base == nil:
			if !plainReference(value) {
				return nil, fmt.Errorf("line %d: defaultBaseImage is not written out", n+1)
			}
			b := wanted(value, "defaultBaseImage", n+1, platforms)
			base = &b
		case overrides && m[1] == "" && value != "":
			return nil, fmt.Errorf("line %d: baseImageOverrides is not written as lines", n+1)
		case overrides && m[1] != "":
			if indent == 0 {
				indent = len(m[1])
			}
			if len(m[1]) != indent || !plainReference(value) {
				return nil, fmt.Errorf("line %d is not PACKAGE: IMAGE", n+1)
			}
			if key == strings.ToLower(importPath) {
				b := wanted(value, "baseImageOverrides", n+1, platforms)
				return &b, nil
			}
		}
	}
	return base, nil
}

// scalar returns a value without its quotes and the comment behind it.
func scalar(v string) string {
	if len(v) > 1 && (v[0] == '"' || v[0] == '\'') {
		if end := strings.IndexByte(v[1:], v[0]); end >= 0 {
			return v[1 : 1+end]
		}
	}
	if i := strings.Index(v, " #"); i >= 0 {
		v = v[:i]
	}
	return strings.TrimSpace(v)
}

// reference is what an image is written like, with nothing to expand.
var reference = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$`)

func plainReference(s string) bool { return reference.MatchString(s) }

// module is the first line of a go.mod that counts here.
var module = regexp.MustCompile(`(?m)^module\s+["` + "`" + `]?([^\s"` + "`" + `]+)`)

// ImportPath returns the import path of a package as ko is told it, ./cmd/app or
// a whole path, in a module with that go.mod; "" if it does not say.
func ImportPath(goMod, target string) string {
	target = strings.TrimPrefix(target, "ko://")
	if target != "" && !strings.HasPrefix(target, ".") {
		return target
	}
	m := module.FindStringSubmatch(goMod)
	if m == nil || strings.HasPrefix(target, "..") {
		return ""
	}
	return strings.TrimSuffix(m[1]+"/"+strings.Trim(strings.TrimPrefix(target, "."), "/"), "/")
}

// A pom is what matters of Maven's pom.xml.
type pom struct {
	Properties struct {
		All []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	} `xml:"properties"`
	Plugins []pomPlugin `xml:"build>plugins>plugin"`
	Managed []pomPlugin `xml:"build>pluginManagement>plugins>plugin"`
}

type pomPlugin struct {
	Artifact string `xml:"artifactId"`
	Image    string `xml:"configuration>from>image"`
}

var mavenProperty = regexp.MustCompile(`\$\{([^}]+)\}`)

// JibMaven returns the base that jib builds on by the text of pom.xml,
// <from><image>: https://github.com/GoogleContainerTools/jib/tree/master/jib-maven-plugin.
// It is nil where the file names none in a registry: jib chooses one that has
// all platforms.
func JibMaven(text string, platforms platform.List) (*Base, error) {
	var p pom
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // names are ASCII
	if err := d.Decode(&p); err != nil {
		return nil, err
	}
	for _, plugin := range append(p.Plugins, p.Managed...) {
		image := strings.TrimSpace(plugin.Image)
		if plugin.Artifact != "jib-maven-plugin" || image == "" {
			continue
		}
		line := 1 + strings.Count(text[:max(0, strings.Index(text, plugin.Image))], "\n")
		image = mavenProperty.ReplaceAllStringFunc(image, func(ref string) string {
			for _, e := range p.Properties.All {
				if e.XMLName.Local == ref[2:len(ref)-1] {
					return strings.TrimSpace(e.Value)
				}
			}
			return ref
		})
		return jibBase(image, line, platforms)
	}
	return nil, nil
}

// jibFrom is the image in build.gradle, in Groovy and in Kotlin:
// from { image = "…" }, jib.from.image = '…'.
var jibFrom = regexp.MustCompile(`(?:\bfrom\s*\{[^{}]*?\bimage|\bjib\s*\.\s*from\s*\.\s*image|\bfrom\s*\.\s*image)\s*(?:=|\()?\s*["']([^"']+)["']`)

// JibGradle is JibMaven for the text of build.gradle or build.gradle.kts, as far
// as a program's settings can be read without running it.
func JibGradle(text string, platforms platform.List) (*Base, error) {
	m := jibFrom.FindStringSubmatchIndex(text)
	if m == nil {
		return nil, nil
	}
	return jibBase(text[m[2]:m[3]], 1+strings.Count(text[:m[2]], "\n"), platforms)
}

func jibBase(image string, line int, platforms platform.List) (*Base, error) {
	if image == "scratch" || strings.HasPrefix(image, "docker://") || strings.HasPrefix(image, "tar://") {
		return nil, nil
	}
	image = strings.TrimPrefix(image, "registry://")
	if !plainReference(image) {
		return nil, fmt.Errorf("line %d: the image %s is not written out", line, image)
	}
	b := wanted(image, "from image", line, platforms)
	return &b, nil
}

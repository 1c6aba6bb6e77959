package bases

import (
	"fmt"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/platform"
)

func said(b *Base, err error) string {
	switch {
	case err != nil:
		return "error: " + err.Error()
	case b == nil:
		return ""
	}
	return fmt.Sprintf("%d %s %s %s", b.Line, b.By, b.Ref, platformsOf(b.Uses))
}

var two, _ = platform.ParseList("linux/amd64,linux/arm64")

func TestKo(t *testing.T) {
	const file = "# ours\ndefaultBaseImage: gcr.io/distroless/static:nonroot # small\nbuilds:\n- id: x\n  ldflags: [-s]\nbaseImageOverrides:\n  Example.com/mod/cmd/app: \"docker.io/library/debian:12\"\n  example.com/other: alpine\n"
	for _, c := range []struct{ text, path, want string }{
		{file, "example.com/mod/cmd/app", "7 baseImageOverrides docker.io/library/debian:12 linux/amd64,linux/arm64"},
		{file, "example.com/mod", "2 defaultBaseImage gcr.io/distroless/static:nonroot linux/amd64,linux/arm64"},
		{strings.ReplaceAll(file, "\n", "\r\n"), "", "2 defaultBaseImage gcr.io/distroless/static:nonroot linux/amd64,linux/arm64"},
		{"builds: []\n", "x", ""},
		{"defaultBaseImage: *base\n", "x", "error: line 1: defaultBaseImage is not written out"},
		{"baseImageOverrides: {a: b}\n", "x", "error: line 1: baseImageOverrides is not written as lines"},
		{"baseImageOverrides:\n  ? a\n  : b\n", "x", "error: line 2 is not KEY: VALUE"},
		{"defaultPlatforms:\n- linux/arm64\n", "x", ""},
	} {
		if got := said(Ko(c.text, c.path, two)); got != c.want {
			t.Errorf("%q for %s: %s, want %s", c.text, c.path, got, c.want)
		}
	}
}

func TestImportPath(t *testing.T) {
	const mod = "// a tool\nmodule example.com/mod // v2\n\ngo 1.25\n"
	for target, want := range map[string]string{
		"": "example.com/mod", ".": "example.com/mod", "./cmd/app": "example.com/mod/cmd/app", "./cmd/app/": "example.com/mod/cmd/app",
		"example.com/else": "example.com/else", "ko://example.com/else": "example.com/else", "../x": "",
	} {
		if got := ImportPath(mod, target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	if got := ImportPath("", "./x"); got != "" {
		t.Error(got)
	}
}

func TestJib(t *testing.T) {
	const file = `<?xml version="1.0" encoding="ISO-8859-1"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <properties><jre>21-jre</jre></properties>
  <build><plugins>
    <plugin><artifactId>other</artifactId><configuration><from><image>no</image></from></configuration></plugin>
    <plugin><artifactId>jib-maven-plugin</artifactId>
      <configuration><from>
        <image>eclipse-temurin:${jre}</image>
      </from></configuration></plugin>
  </plugins></build>
</project>`
	for in, want := range map[string]string{
		file: "8 from image eclipse-temurin:21-jre linux/amd64,linux/arm64",
		strings.Replace(file, "<jre>", "<jvm>", 1):                                                                "error: ",
		strings.ReplaceAll(strings.Replace(file, "<properties><jre>21-jre</jre></properties>", "", 1), "  ", " "): "error: line 8: the image eclipse-temurin:${jre} is not written out",
		strings.Replace(file, "eclipse-temurin:${jre}", "docker://local", 1):                                      "",
		strings.Replace(file, "<image>eclipse-temurin:${jre}</image>", "", 1):                                     "",
		"<project>": "error: ",
	} {
		if got := said(JibMaven(in, two)); got != want && (want != "error: " || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"plugins { id 'com.google.cloud.tools.jib' version '3.4.4' }\njib {\n  from {\n    image = 'eclipse-temurin:21-jre'\n  }\n  to { image = 'x' }\n}": "4 from image eclipse-temurin:21-jre linux/amd64,linux/arm64",
		"jib.from.image = \"azul/zulu-openjdk:21\"":      "1 from image azul/zulu-openjdk:21 linux/amd64,linux/arm64",
		"jib { from { image = \"x:${version}\" } }":      "error: line 1: the image x:${version} is not written out",
		"jib { to { image = 'x' } }":                     "",
		"jib { from { image = 'registry://r.io/x:1' } }": "1 from image r.io/x:1 linux/amd64,linux/arm64",
	} {
		if got := said(JibGradle(in, two)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// Settings are a stranger's: any text is a base, none or an error.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{"defaultBaseImage: a\nbaseImageOverrides:\n  b: c\n", "<project><build/></project>", "jib { from { image = 'x' } }", "module x\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func() (*Base, error){
			func() (*Base, error) { return Ko(text, ImportPath(text, "./b"), two) },
			func() (*Base, error) { return JibMaven(text, two) },
			func() (*Base, error) { return JibGradle(text, two) },
		} {
			b, err := parse()
			if b != nil && (err != nil || !plainReference(b.Ref) || b.Line < 1 || b.Line > 1+strings.Count(text, "\n")) {
				t.Errorf("%+v %v", b, err)
			}
		}
	})
}

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/internal/platform"
)

func TestRunnerFor(t *testing.T) {
	rs, err := parseRunners([]string{"linux/arm=arm32", "linux/arm64=arm64, big", "linux=lin", "default=other", "linux/arm/v6=old", "aarch64/v9=new"})
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]string{
		"linux/arm64": "arm64+big", "linux/arm64/v9": "new", "linux/arm": "arm32", "linux/arm/v7": "arm32", "linux/arm/v6": "old",
		"linux/amd64": "lin", "windows/amd64": "other",
	} {
		q, err := platform.Parse(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(runnerFor(q, rs, githubRunners), "+"); got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
	own := map[string]string{}
	for _, p := range []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "windows/amd64", "windows/arm64"} {
		q, _ := platform.Parse(p)
		own[p] = runnerFor(q, rs[:1], githubRunners)[0] + " " + runnerFor(q, nil, gitlabRunners)[0]
	}
	if d := cmp.Diff(map[string]string{
		"linux/amd64": "ubuntu-24.04 saas-linux-small-amd64", "linux/arm64": "ubuntu-24.04-arm saas-linux-small-arm64",
		"linux/arm/v7": "arm32 saas-linux-small-arm64", "linux/s390x": "ubuntu-24.04 saas-linux-small-amd64",
		"windows/amd64": "windows-2025 saas-windows-medium-amd64", "windows/arm64": "windows-11-arm saas-windows-medium-amd64",
	}, own); d != "" {
		t.Error(d)
	}
}

func TestParseRunnersErrors(t *testing.T) {
	for line, want := range map[string]string{
		"linux/arm64":         "is not PATTERN=LABEL",
		"linux/arm64=":        "a runner without a label",
		"linux/arm64=a,,b":    "a runner without a label",
		"linux/arm46=x":       `did you mean "arm64"?`,
		"linux=a\nlinux=b":    "there are two for linux",
		"default=a\n*=b":      "there are two for *",
		"=x":                  "it is empty",
		"linux/arm64=a\x00b":  "a runner without a label",
		"arm64=a\naarch64=b":  "there are two for aarch64",
		"linux/arm64/v8=a b=": "",
	} {
		_, err := parseRunners(strings.Split(line, "\n"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// Whatever the labels are, the child pipeline is YAML that holds just them,
// and every platform has a runner.
func FuzzParseRunners(f *testing.F) {
	f.Add("linux/arm64=a,b\ndefault=c")
	f.Add("linux=a: b, #c")
	f.Add("*=\"'\\")
	f.Fuzz(func(t *testing.T, s string) {
		rs, err := parseRunners(strings.Split(s, "\n"))
		if err != nil {
			return
		}
		p := platform.Platform{OS: "linux", Arch: "arm64"}
		want := runnerFor(p, rs, gitlabRunners)
		if len(want) == 0 {
			t.Fatal("no runner")
		}
		text := child(alwaysRun+".build-image: {script: [x]}\n").pipeline(platform.List{p}, rs, nil)
		var doc map[string]struct{ Tags []string }
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		if got := doc["build linux/arm64"].Tags; !cmp.Equal(got, []string(want)) {
			t.Fatalf("%q became %q", want, got)
		}
	})
}

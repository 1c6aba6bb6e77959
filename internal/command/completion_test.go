package command

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
)

// completed returns what a program offers for the last of words.
func completed(words ...string) []string {
	var folder string
	var on bool
	p := Program{
		Name: "my-tool",
		Flags: func(fs *flagset.Set) {
			var mode string
			var platforms flagset.Words
			fs.Var(&platforms, "platform", "build for `PLATFORMS`; more of it")
			fs.Choice(&mode, "mode", []string{"auto", "all"}, "how")
			fs.String(&folder, "context", "", "the `FOLDER`")
			fs.Bool(&on, "write", false, "write")
			fs.Short("w", "write")
		},
		Common: []string{"mode"},
		Values: map[string]func(*Env) []string{
			"platform": func(*Env) []string { return []string{"linux/amd64", "linux/arm64", "windows/amd64"} },
			"context":  func(*Env) []string { return []string{"here", "of " + folder} },
		},
	}
	var out bytes.Buffer
	e := &Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Getenv: noenv}
	if code := p.Exec(context.Background(), e, append([]string{"--completion", "words", "--"}, words...)); code != exit.OK {
		return []string{out.String()}
	}
	return strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' })
}

func TestCompletion(t *testing.T) {
	for words, want := range map[string][]string{
		"--pl":                          {"--platform\tbuild for PLATFORMS"},
		"--platform ":                   {"linux/amd64", "linux/arm64", "windows/amd64"},
		"--platform linux/a":            {"linux/amd64", "linux/arm64"},
		"--platform linux/amd64,li":     {"linux/amd64,linux/arm64"},
		"--platform=win":                {"--platform=windows/amd64"},
		"-platform win":                 {"windows/amd64"},
		"--mode a":                      {"auto", "all"},
		"--mode=au":                     {"--mode=auto"},
		"--write --mode al":             {"all"},
		"-w a --mode al":                {"all"},
		"--context x --context ":        {"here", "of x"},
		"--context=x --bogus --mode al": {"all"},
		"":                              {}, // files
		"a":                             {},
		"--json ":                       {},
		"--platform x -- --m":           {},
		"--result ":                     {},
	} {
		if d := cmp.Diff(want, completed(strings.Split(words, " ")...)); d != "" {
			t.Errorf("%q: %s", words, d)
		}
	}
	all := completed("--")
	if len(all) < 10 || !strings.HasPrefix(all[0], "--platform\t") {
		t.Errorf("%q", all)
	}
	if got := run(context.Background(), noenv, nil, "--completion", "tcsh"); got.Code != exit.Usage || !strings.Contains(got.Errors, "bash, zsh and fish") {
		t.Errorf("%+v", got)
	}
}

// The scripts are ones to their shells, as far as these are here; test/e2e/shells
// completes with each of them.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		got := run(context.Background(), noenv, nil, "--completion", shell)
		if got.Code != exit.OK || strings.Contains(got.Out, "NAME") || strings.Contains(got.Out, "FUNCTION") || !strings.Contains(got.Out, "tool --completion "+shell) {
			t.Errorf("%s: %+v", shell, got)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		check := exec.Command(path, "-n")
		check.Stdin = strings.NewReader(got.Out)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s -n: %v\n%s", shell, err, out)
		}
	}
}

package output_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
)

// azure is Azure Pipelines, as a system that polyarch does not ship: all that
// a new one takes is in this type and the line that names it. Its agent obeys
// "##vso[" and "##[" in what a step prints
// (learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands).
type azure struct {
	output.Plain
	on bool
}

func (a *azure) Register(fs *flagset.Set) {
	fs.Bool(&a.on, "azure", false, "set the results as output variables of an Azure Pipelines step")
}

func (a *azure) Wanted() string {
	if !a.on {
		return ""
	}
	return "--azure"
}

func (a *azure) Summarizes() bool { return true }

// Files puts the summary into a file, which Deliver names.
func (a *azure) Files(r output.Report, w output.World) ([]output.File, error) {
	for _, r := range r.Results {
		if strings.ContainsAny(r.Text, "\r\n") {
			return nil, exit.Failf("writing variable %s: Azure Pipelines takes one line", r.Name)
		}
	}
	return []output.File{{Path: a.summary(w), Bytes: []byte(r.Summary)}}, nil
}

func (a *azure) summary(w output.World) string {
	return filepath.Join(w.Getenv("AGENT_TEMPDIRECTORY"), "summary.md")
}

func (a *azure) Deliver(r output.Report, w output.World) error {
	for _, r := range r.Results {
		name := strings.ReplaceAll(r.Name, "-", "_")
		if _, err := fmt.Fprintf(w.Stdout, "##vso[task.setvariable variable=%s;isOutput=true]%s\n", name, escape(r.Text)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w.Stdout, "##vso[task.uploadsummary]%s\n", a.summary(w))
	return err
}

func (a *azure) Console(output.World) output.Console { return a }

func (a *azure) Inert(lines string) string {
	return strings.NewReplacer("##[", "##\u200b[", "##vso[", "##\u200bvso[").Replace(lines)
}

func (a *azure) Annotate(m output.Message) string {
	kind := "warning"
	if m.Error {
		kind = "error"
	}
	return fmt.Sprintf("##vso[task.logissue type=%s;sourcepath=%s;linenumber=%d]%s\n", kind, escape(m.File), m.Line, escape(m.Text))
}

func (a *azure) Group(title string) (open, end string) {
	return "##[group]" + title + "\n", "##[endgroup]\n"
}

func escape(s string) string {
	return strings.NewReplacer("%", "%AZP25", ";", "%3B", "\r", "%0D", "\n", "%0A", "]", "%5D").Replace(s)
}

// A CI system is one type: no other file knows its name, and every program
// writes results, annotations, groups and inert lines for it.
func TestACISystemIsOneType(t *testing.T) {
	dir := t.TempDir()
	getenv := func(name string) string { return map[string]string{"AGENT_TEMPDIRECTORY": dir}[name] }
	run := func(argv ...string) (exit.Code, string, string) {
		p := command.Program{
			Name: "tool", Results: []output.Spec{{Name: "image-ref"}}, Flags: func(*flagset.Set) {},
			Run: func(_ context.Context, env *command.Env) error {
				env.Log.Infof("reading ##vso[task.setvariable variable=x]y")
				env.Log.Warnf("100%% of it")
				env.Log.Group("linux/arm64", strings.NewReader("a build prints ##[error]x\n"))
				if on := len(argv) > 0; on != (env.Output.Claims(env.World()) == "--azure") || on != env.Output.Summarizes() {
					t.Errorf("%q: claims %q, summary %t", argv, env.Output.Claims(env.World()), env.Output.Summarizes())
				}
				if err := env.Write(output.Report{Results: []output.Result{{Name: "image-ref", Text: "r@sha256:0;]"}}, Text: "##vso[x]\n", Summary: "# done\n"}); err != nil {
					return err
				}
				return exit.Failf("it ends").At("a.yaml", 3, 0)
			},
		}
		var out, errs bytes.Buffer
		e := &command.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Getenv: getenv,
			Output: output.Options{Systems: append(output.Shipped(), &azure{})}}
		return p.Exec(context.Background(), e, argv), out.String(), errs.String()
	}
	code, out, errs := run("--azure", "--result", "image-ref="+filepath.Join(dir, "ref"))
	want := []string{
		"##vso[task.setvariable variable=image_ref;isOutput=true]r@sha256:0%3B%5D\n" +
			"##vso[task.uploadsummary]" + dir + "/summary.md\n##\u200bvso[x]\n",
		"tool: reading ##\u200bvso[task.setvariable variable=x]y\n" +
			"tool: warning: 100% of it\n##vso[task.logissue type=warning;sourcepath=;linenumber=0]100%AZP25 of it\n" +
			"##[group]linux/arm64\na build prints ##\u200b[error]x\n##[endgroup]\n" +
			"tool: error: it ends\n##vso[task.logissue type=error;sourcepath=a.yaml;linenumber=3]it ends\n",
	}
	if d := cmp.Diff(want, []string{out, errs}); d != "" || code != exit.Failed {
		t.Errorf("code %d: %s", code, d)
	}
	if _, out, errs := run(); strings.Contains(out+errs, "task.logissue") || !strings.Contains(out, "##vso[x]") {
		t.Errorf("without --azure: %q, %q", out, errs)
	}
	if _, help, _ := run("--help"); !strings.Contains(help, "--azure  ") {
		t.Error("--help does not show the flag")
	}
}

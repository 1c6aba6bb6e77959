package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
)

type outcome struct {
	Code        exit.Code
	Out, Errors string
}

// run executes a program whose work is f.
func run(ctx context.Context, getenv func(string) string, f func(context.Context, *Env) error, argv ...string) outcome {
	var name string
	p := Program{
		Name: "tool", Summary: "does a thing", Usage: "[flags]", Example: "tool --name x   # with a name",
		Results: []output.Spec{{Name: "name", Description: "what was named"}},
		Flags:   func(fs *flagset.Set) { fs.Group("Work"); fs.String(&name, "name", "", "a `NAME`") },
		Run:     f,
	}
	var out, errs bytes.Buffer
	code := p.Exec(ctx, &Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Getenv: getenv}, argv)
	return outcome{code, out.String(), errs.String()}
}

func noenv(string) string { return "" }

func TestExec(t *testing.T) {
	bg := context.Background()
	fail := func(err error) func(context.Context, *Env) error {
		return func(context.Context, *Env) error { return err }
	}
	for name, c := range map[string]struct {
		got, want outcome
	}{
		"result": {
			run(bg, noenv, func(_ context.Context, e *Env) error {
				e.Log.Infof("working on %s", "a\x1b[2J")
				e.Log.Debugf("not shown")
				return e.Write(output.Report{Text: "done\n"})
			}),
			outcome{0, "done\n", "tool: working on a\\x1b[2J\n"},
		},
		"quiet": {
			run(bg, noenv, func(_ context.Context, e *Env) error {
				e.Log.Infof("not shown")
				e.Log.Warnf("two\nlines")
				return nil
			}, "--quiet"),
			outcome{0, "", "tool: warning: two\ntool: warning: lines\n"},
		},
		"error": {
			run(bg, noenv, fail(exit.Deniedf("reading x: 403").Hint("ask")), "--verbose"),
			outcome{4, "", "tool: error: reading x: 403\ntool: hint: ask\n"},
		},
		"plain error": {
			run(bg, noenv, fail(errors.New("reading x: gone"))),
			outcome{1, "", "tool: error: reading x: gone\n"},
		},
		"usage": {
			run(bg, noenv, fail(nil), "--nmae"),
			outcome{2, "", "tool: error: unknown flag --nmae\ntool: hint: did you mean --name?\ntool: hint: tool --help lists the flags and shows examples\n"},
		},
		"unknown result": {
			run(bg, noenv, fail(nil), "--result", "x=y"),
			outcome{2, "", "tool: error: flag --result: there is no result \"x\"; there are name\ntool: hint: tool --help lists the flags and shows examples\n"},
		},
		"arguments": {
			run(bg, noenv, func(_ context.Context, e *Env) error { return e.NoArgs() }, "a", "b"),
			outcome{2, "", "tool: error: it takes no arguments, and got a b\ntool: hint: tool --help lists the flags and shows examples\n"},
		},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestSignalWinsOverTheErrorItCauses(t *testing.T) {
	for sig, code := range map[os.Signal]exit.Code{os.Interrupt: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129, syscall.SIGQUIT: 131} {
		ctx, cancel := context.WithCancelCause(context.Background())
		got := run(ctx, noenv, func(ctx context.Context, e *Env) error {
			cancel(stopped{sig})
			<-ctx.Done()
			return exit.Unreachablef("getting x: %w", ctx.Err())
		})
		if got.Code != code || got.Out != "" || !strings.HasPrefix(got.Errors, "tool: error: stopped by a signal: ") {
			t.Errorf("%v: %+v", sig, got)
		}
	}
}

func TestAnnotations(t *testing.T) {
	getenv := func(k string) string {
		if k == "GITHUB_OUTPUT" {
			return filepath.Join(t.TempDir(), "out")
		}
		return ""
	}
	got := run(context.Background(), getenv, func(_ context.Context, e *Env) error {
		e.Log.Warnf("100%% sure\n::error::injected")
		return exit.Failf("reading a.yaml: line 3: no").At("a.yaml", 3, 0).Hint("mend it")
	}, "--github")
	want := outcome{1, "", "tool: warning: 100% sure\n" +
		"tool: warning: ::error::injected\n" + // the name before it keeps it from being one
		"::warning title=tool::100%25 sure%0A::error::injected\n" +
		"tool: error: reading a.yaml: line 3: no\n" +
		"::error file=a.yaml,line=3,title=tool::reading a.yaml: line 3: no%0Amend it\n" +
		"tool: hint: mend it\n"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Whatever reaches standard error by whatever way, the runner finds no command
// in it but the annotations.
func TestNothingInStandardErrorIsACommand(t *testing.T) {
	getenv := func(string) string { return filepath.Join(t.TempDir(), "out") }
	const evil = "##[set-output name=x;]y\n::set-output name=x::y\r::error::z\n"
	for name, f := range map[string]func(*Env) error{
		"info":    func(e *Env) error { e.Log.Infof("%s", evil); return nil },
		"debug":   func(e *Env) error { e.Log.Debugf("%s", evil); return nil },
		"warning": func(e *Env) error { e.Log.Warnf("%s", evil); return nil },
		"hint":    func(e *Env) error { e.Log.Hintf("%s", evil); return nil },
		"error":   func(e *Env) error { return exit.Failf("%s", evil).At(evil, 1, 0).Hint("%s", evil) },
		"child":   func(e *Env) error { io.WriteString(e.Log, evil); return nil },
		"group":   func(e *Env) error { e.Log.Group(evil, strings.NewReader(evil)); return nil },
		"raw":     func(e *Env) error { io.WriteString(e.Stderr, evil+"##[error]cut"); return nil },
	} {
		got := run(context.Background(), getenv, func(_ context.Context, e *Env) error { return f(e) }, "--github", "--verbose")
		for _, l := range strings.FieldsFunc(got.Errors, func(r rune) bool { return r == '\n' || r == '\r' }) {
			l = strings.TrimSpace(l)
			own := regexp.MustCompile(`^::(warning|error|group|stop-commands|endgroup|[A-Z2-7]{26})\b`).MatchString(l) && !strings.HasPrefix(l, "::error::z")
			if strings.HasPrefix(l, "::") && !own || strings.Contains(l, "##[") {
				t.Errorf("%s: the line %q is a command", name, l)
			}
		}
		if !strings.Contains(got.Errors, "set-output") {
			t.Errorf("%s: nothing was printed", name)
		}
	}
	if got := run(context.Background(), getenv, nil, "--##[error]x", "--github"); strings.Contains(got.Errors, "##[") || got.Code != exit.Usage {
		t.Errorf("a flag that is none: %+v", got)
	}
}

func TestHelp(t *testing.T) {
	got := run(context.Background(), noenv, nil, "--help")
	for _, want := range []string{"tool: does a thing\n", "Usage:\n  tool [flags]\n", "\nWork:\n  --name NAME             a NAME\n", "\nOutput:\n  --json  ", "Exit codes:", "Examples:\n  tool --name x   # with a name\n"} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("help lacks %q:\n%s", want, got.Out)
		}
	}
	for line := range strings.Lines(got.Out) {
		if len(line) > 100 {
			t.Errorf("line of %d: %s", len(line), line)
		}
	}
	if again := run(context.Background(), noenv, nil, "-h"); again != got || got.Code != 0 || got.Errors != "" {
		t.Errorf("-h differs from --help, or fails: %+v", again)
	}
	var doc struct{ Flags []flagset.Info }
	if err := json.Unmarshal([]byte(run(context.Background(), noenv, nil, "--help", "--json").Out), &doc); err != nil || doc.Flags[0].Name != "name" {
		t.Errorf("--help --json: %v, %v", doc, err)
	}
	if v := run(context.Background(), noenv, nil, "--version"); !strings.HasPrefix(v.Out, "tool v") || v.Code != 0 {
		t.Errorf("--version: %+v", v)
	}
}

func TestPluginsOfKubectl(t *testing.T) {
	for path, want := range map[string]string{
		"/usr/bin/kubectl-detect_arch": "kubectl detect-arch", `kubectl-detect_arch.exe`: "kubectl detect-arch", "kubectl-arch-of": "kubectl arch of", "detect-arch": "", "/opt/kubectl": "",
	} {
		if got := calledAs(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	p := Program{Name: "detect-arch", Called: "kubectl detect-arch", Usage: "[flags]", Example: "kubectl get nodes | detect-arch --from-file -"}
	help := p.Help(flagset.New(p.Name))
	for _, want := range []string{"Usage:\n  kubectl detect-arch [flags]\n", "  kubectl get nodes | kubectl detect-arch --from-file -\n"} {
		if !strings.Contains(help, want) {
			t.Errorf("help lacks %q:\n%s", want, help)
		}
	}
}

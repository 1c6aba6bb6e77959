package output

import (
	"crypto/rand"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/sethvargo/go-githubactions"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/text"
)

// github sets outputs and a summary in the files that GitHub's runner names,
// and writes workflow commands.
type github struct {
	Plain
	on bool
}

func (g *github) Register(fs *flagset.Set) {
	fs.Bool(&g.on, "github", false, "set the results as outputs of a GitHub Actions step, add to its summary, and annotate errors and warnings")
}

func (g *github) Wanted() string {
	if !g.on {
		return ""
	}
	return "--github"
}

func (g *github) Summarizes() bool { return true }

func (g *github) Check(_ []Spec, w World) error {
	if w.Getenv("GITHUB_OUTPUT") == "" {
		return exit.Usagef("flag --github: GITHUB_OUTPUT is not set").Hint("leave --github out when not running in a GitHub Actions step")
	}
	return nil
}

// GitHub's limits: 1 MB for the outputs of a job, 1 MiB for the summary of a step.
const (
	githubOutputBytes  = 1 << 20
	githubSummaryBytes = 1 << 20
)

// delimiter is what go-githubactions ends a value with in GITHUB_OUTPUT. It is
// constant, so a value that holds it would end early and start another output.
const delimiter = "_GitHubActionsFileCommandDelimeter_"

// Files has none: GitHub's files are those of the step, which may hold the
// outputs of other programs. It refuses what they cannot carry.
func (g *github) Files(r Report, _ World) ([]File, error) {
	size := 0
	for _, r := range r.Results {
		if err := oneLine(r); err != nil {
			return nil, err
		}
		if strings.Contains(r.Name+r.Text, delimiter) {
			return nil, exit.Failf("writing GitHub output %s: its value holds %s, which would start another output", r.Name, delimiter)
		}
		size += len(r.Name) + len(r.Text)
	}
	if size > githubOutputBytes {
		return nil, exit.Failf("writing GitHub outputs: %d bytes are more than GitHub's %d for a job", size, githubOutputBytes)
	}
	return nil, nil
}

// Deliver sets outputs and summary. The library panics where a file cannot be
// written; that is an error of the run.
func (g *github) Deliver(r Report, w World) (err error) {
	for _, v := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		path := w.Getenv(v)
		if path == "" {
			continue
		}
		f, e := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
		if e != nil {
			return exit.Failf("writing %s: %w", v, e)
		}
		f.Close()
	}
	defer func() {
		if p := recover(); p != nil {
			err = exit.Failf("writing GitHub outputs: %v", p)
		}
	}()
	a := githubactions.New(githubactions.WithWriter(io.Discard), githubactions.WithGetenv(w.Getenv))
	for _, r := range r.Results {
		a.SetOutput(r.Name, r.Text)
	}
	if s := r.Summary; s != "" && w.Getenv("GITHUB_STEP_SUMMARY") != "" {
		s = strings.ReplaceAll(s, delimiter, "_")
		if note := "\n\n…cut: longer than GitHub's limit of 1 MiB\n"; len(s) > githubSummaryBytes-4096 {
			s = strings.ToValidUTF8(s[:githubSummaryBytes-4096-len(note)], "") + note
		}
		a.AddStepSummary(s)
	}
	return nil
}

func (g *github) Console(w World) Console { return githubConsole{w.Getenv} }

// githubConsole is GitHub's runner. It takes "::" at the start of a line and
// "##[" anywhere in it for a command (actions/runner, ActionCommand.cs).
type githubConsole struct{ getenv func(string) string }

func (githubConsole) Inert(lines string) string {
	var b strings.Builder
	for len(lines) > 0 {
		n := 1 + strings.IndexAny(lines, "\n\r")
		if n == 0 {
			n = len(lines)
		}
		if strings.HasPrefix(strings.TrimSpace(lines[:n]), "::") {
			b.WriteString(zeroWidth)
		}
		b.WriteString(lines[:n])
		lines = lines[n:]
	}
	return noOldCommand(b.String())
}

func noOldCommand(s string) string { return strings.ReplaceAll(s, "##[", "##"+zeroWidth+"[") }

// zeroWidth breaks a command and is not seen. The runner does not trim it.
const zeroWidth = "\u200b"

func (c githubConsole) Annotate(m Message) string {
	fields := map[string]string{"title": m.Title}
	if m.File != "" {
		fields["file"] = noOldCommand(m.File)
	}
	for name, n := range map[string]int{"line": m.Line, "col": m.Column} {
		if n > 0 {
			fields[name] = strconv.Itoa(n)
		}
	}
	var b strings.Builder
	a := githubactions.New(githubactions.WithWriter(&b), githubactions.WithGetenv(c.getenv)).WithFieldsMap(fields)
	if s := noOldCommand(text.Clean(m.Text)); m.Error {
		a.Errorf("%s", s)
	} else {
		a.Warningf("%s", s)
	}
	return b.String()
}

// Group tells the runner not to obey commands until it sees a word that the
// text cannot know (GitHub Docs, "Workflow commands", stop-commands).
func (c githubConsole) Group(title string) (open, end string) {
	word := rand.Text()
	return "::group::" + noOldCommand(text.Line(title)) + "\n::stop-commands::" + word + "\n", "::" + word + "::\n::endgroup::\n"
}

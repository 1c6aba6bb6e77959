package output

import (
	"io"
	"os"
	"strings"

	"github.com/sethvargo/go-githubactions"

	"github.com/polyarch/polyarch/internal/exit"
)

// GitHub's limits: 1 MB for the outputs of a job, 1 MiB for the summary of a step.
const (
	githubOutputBytes  = 1 << 20
	githubSummaryBytes = 1 << 20
)

// delimiter is what go-githubactions ends a value with in GITHUB_OUTPUT. It is
// constant, so a value that holds it would end early and start another output.
const delimiter = "_GitHubActionsFileCommandDelimeter_"

func checkGitHub(rs []Result) error {
	size := 0
	for _, r := range rs {
		if err := oneLine(r); err != nil {
			return err
		}
		if strings.Contains(r.Name+r.Text, delimiter) {
			return exit.Failf("writing GitHub output %s: its value holds %s, which would start another output", r.Name, delimiter)
		}
		size += len(r.Name) + len(r.Text)
	}
	if size > githubOutputBytes {
		return exit.Failf("writing GitHub outputs: %d bytes are more than GitHub's %d for a job", size, githubOutputBytes)
	}
	return nil
}

// writeGitHub sets outputs and summary. The library panics where a file cannot
// be written; that is an error of the run.
func writeGitHub(r Report, getenv func(string) string) (err error) {
	for _, v := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		path := getenv(v)
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
	a := githubactions.New(githubactions.WithWriter(io.Discard), githubactions.WithGetenv(getenv))
	for _, r := range r.Results {
		a.SetOutput(r.Name, r.Text)
	}
	if s := r.Summary; s != "" && getenv("GITHUB_STEP_SUMMARY") != "" {
		s = strings.ReplaceAll(s, delimiter, "_")
		if note := "\n\n…cut: longer than GitHub's limit of 1 MiB\n"; len(s) > githubSummaryBytes-4096 {
			s = strings.ToValidUTF8(s[:githubSummaryBytes-4096-len(note)], "") + note
		}
		a.AddStepSummary(s)
	}
	return nil
}

// inertCommands keeps a result from being read as a workflow command: the
// runner reads commands from all that a step prints, "::" at the start of a
// line and "##[" anywhere in it.
func inertCommands(s string) string {
	const zeroWidth = "\u200b"
	lines := strings.SplitAfter(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimSpace(l), "::") {
			lines[i] = zeroWidth + l
		}
	}
	return strings.ReplaceAll(strings.Join(lines, ""), "##[", "##"+zeroWidth+"[")
}

package flagset

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/exit"
)

type values struct {
	name, mode string
	on         bool
	words      Words
	lines      Lines
}

func set() (*values, *Set) {
	v, s := &values{}, New("x")
	s.Group("First")
	s.String(&v.name, "name", "me", "a `NAME`")
	s.Bool(&v.on, "on", false, "a switch")
	s.Group("Second")
	s.Choice(&v.mode, "mode", []string{"all", "one"}, "how much")
	s.Var(&v.words, "word", "some `WORDS`")
	s.Var(&v.lines, "line", "some `LINES`")
	return v, s
}

func TestParse(t *testing.T) {
	v, s := set()
	args, after, err := s.Parse([]string{"a", "--word", "x,y", "b", "-on", "--word=[\"z\"]", "-", "--line", "k=a b\n\nl=c", "--mode", "one", "--", "--name", "c"})
	if err != nil {
		t.Fatal(err)
	}
	want := &values{name: "me", mode: "one", on: true, words: Words{"x", "y", "z"}, lines: Lines{"k=a b", "l=c"}}
	if d := cmp.Diff(want, v, cmp.AllowUnexported(values{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]string{{"a", "b", "-"}, {"--name", "c"}}, [][]string{args, after}); d != "" {
		t.Error(d)
	}
	if !s.Given("on") || s.Given("name") {
		t.Error("Given")
	}
	if _, after, _ := s.Parse([]string{"a", "--"}); after == nil {
		t.Error("an empty command after -- looks like none")
	}
}

func TestParseLists(t *testing.T) {
	v, s := set()
	args, after, err := s.Parse([]string{"--word=[", "x", "y,z", "]", "a", "--line=[", "--k=[ b", "-", "]", "--word=[", "]", "--name=[", "b", "]", "--", "--word=["})
	if err != nil {
		t.Fatal(err)
	}
	want := &values{name: "[", mode: "all", words: Words{"x", "y", "z"}, lines: Lines{"--k=[ b", "-"}}
	if d := cmp.Diff(want, v, cmp.AllowUnexported(values{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]string{{"a", "b", "]"}, {"--word=["}}, [][]string{args, after}); d != "" {
		t.Error(d)
	}
}

func TestParseErrors(t *testing.T) {
	for line, want := range map[string]string{
		"--nmae x":    "unknown flag --nmae",
		"--zebra=1":   "unknown flag --zebra",
		"--name":      "flag --name needs a value",
		"--mode some": "flag --mode: it takes all or one",
		"--on=maybe":  "flag --on is a switch",
		"--word [1]":  `flag --word: "[1]" starts with [`,
		"--word=[ a":  "flag --word: the list that [ opens has no ]",
	} {
		_, s := set()
		_, _, err := s.Parse(strings.Fields(line))
		if err == nil || !strings.Contains(err.Error(), want) || exit.CodeOf(err) != exit.Usage {
			t.Errorf("%s: error %v (code %d), want one with %q", line, err, exit.CodeOf(err), want)
		}
	}
	_, s := set()
	if _, _, err := s.Parse([]string{"a", "--help"}); !errors.Is(err, ErrHelp) {
		t.Errorf("--help: %v", err)
	}
	if _, _, err := s.Parse([]string{"--nmae", "x"}); len(exit.HintsOf(err)) != 1 || exit.HintsOf(err)[0] != "did you mean --name?" {
		t.Errorf("hints %q", exit.HintsOf(err))
	}
}

func TestInfos(t *testing.T) {
	_, s := set()
	want := []Info{
		{Name: "name", Placeholder: "NAME", Default: "me", Description: "a NAME", Group: "First"},
		{Name: "on", Description: "a switch", Group: "First"},
		{Name: "mode", Placeholder: "all|one", Default: "all", Description: "how much", Group: "Second"},
		{Name: "word", Placeholder: "WORDS", Description: "some WORDS", Repeatable: true, Group: "Second"},
		{Name: "line", Placeholder: "LINES", Description: "some LINES", Repeatable: true, Group: "Second"},
	}
	if d := cmp.Diff(want, s.Infos()); d != "" {
		t.Error(d)
	}
}

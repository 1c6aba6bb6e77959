package command

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
)

// scripts teach a shell to ask the program itself: what a flag takes is known
// there, and stays right when the program is replaced by a newer one.
//
//go:embed completion
var scripts embed.FS

// complete prints the completion script for a shell, or, for "words", what the
// last of the words after "--" may be.
func (p Program) complete(e *Env, shell string) error {
	if shell == "words" { // what the scripts ask
		_, err := io.WriteString(e.Stdout, strings.Join(p.candidates(e, e.Command), ""))
		return err
	}
	b, err := scripts.ReadFile("completion/" + shell)
	if err != nil {
		return exit.Usagef("flag --completion: there is no %q; the shells are bash, zsh and fish", shell)
	}
	function := "_" + strings.ReplaceAll(p.Name, "-", "_") + "_completion"
	_, err = io.WriteString(e.Stdout, strings.NewReplacer("_FUNCTION", function, "NAME", p.Name).Replace(string(b)))
	return err
}

// candidates returns a line for each word that may stand at the end of words:
// the whole word, and for a flag a tab and what it does.
func (p Program) candidates(e *Env, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	before, last := words[:len(words)-1], words[len(words)-1]
	known := flagset.New(p.Name)
	p.flags(e, known, &switches{})
	name := known.Pending(before)
	known.Parse(before) // as far as it goes: one flag's values may depend on another
	var lines []string
	switch head, v, ok := strings.Cut(last, "="); {
	case slices.Contains(before, "--") && name == "": // a command of the user's own
	case name != "":
		for _, w := range p.values(e, known, name, last) {
			lines = append(lines, w+"\n")
		}
	case ok && strings.HasPrefix(head, "--"):
		for _, w := range p.values(e, known, strings.TrimLeft(head, "-"), v) {
			lines = append(lines, head+"="+w+"\n")
		}
	case strings.HasPrefix(last, "-"):
		for _, f := range known.Infos() {
			if word := "--" + f.Name; strings.HasPrefix(word, last) {
				lines = append(lines, fmt.Sprintf("%s\t%s\n", word, short(f.Description)))
			}
		}
	}
	return lines
}

// values returns what a flag takes that begins with start; of a list, behind
// the words that are there already.
func (p Program) values(e *Env, known *flagset.Set, name, start string) []string {
	all := known.Choices(name)
	if all == nil && p.Values[name] != nil {
		all = p.Values[name](e)
	}
	there := ""
	if known.Repeatable(name) {
		there = start[:strings.LastIndex(start, ",")+1]
	}
	var fit []string
	for _, v := range all {
		if strings.HasPrefix(v, start[len(there):]) && !slices.Contains(strings.Split(there, ","), v) {
			fit = append(fit, there+v)
		}
	}
	return fit
}

// short returns the first clause of a description.
func short(s string) string {
	for _, end := range []string{"; ", ": ", " (", ", for example "} {
		s, _, _ = strings.Cut(s, end)
	}
	return s
}

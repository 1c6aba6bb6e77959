package flagset

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/text"
)

// A Set is a set of flags in the order in which help shows them.
type Set struct {
	flags *flag.FlagSet
	infos []Info
	group string
}

// Info describes a flag.
type Info struct {
	Name        string `json:"name"`
	Short       string `json:"short,omitempty"` // one letter that means the same
	Placeholder string `json:"placeholder"`     // empty for a switch
	Default     string `json:"default"`
	Description string `json:"description"`
	Repeatable  bool   `json:"repeatable"`
	Group       string `json:"group"`
}

// New makes an empty set for the program of that name.
func New(name string) *Set {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are returned, help is asked for
	return &Set{flags: fs}
}

// Group puts the flags that follow under a heading.
func (s *Set) Group(title string) { s.group = title }

// String, Bool, Int, Duration and Var define a flag. The word in back quotes
// in usage is its placeholder, as in package flag.
func (s *Set) String(p *string, name, value, usage string) {
	s.flags.StringVar(p, name, value, usage)
	s.add(name)
}

// Bool defines a switch.
func (s *Set) Bool(p *bool, name string, value bool, usage string) {
	s.flags.BoolVar(p, name, value, usage)
	s.add(name)
}

// Int defines a flag for a whole number.
func (s *Set) Int(p *int, name string, value int, usage string) {
	s.flags.IntVar(p, name, value, usage)
	s.add(name)
}

// Duration defines a flag for a time such as 90s or 5m.
func (s *Set) Duration(p *time.Duration, name string, value time.Duration, usage string) {
	s.flags.DurationVar(p, name, value, usage)
	s.add(name)
}

// Timeout defines a flag for a time that must be more than zero.
func (s *Set) Timeout(p *time.Duration, name string, value time.Duration, usage string) {
	*p = value
	s.Var((*timeout)(p), name, usage)
}

// Var defines a flag of another type.
func (s *Set) Var(v flag.Value, name, usage string) {
	s.flags.Var(v, name, usage)
	s.add(name)
}

// Choice defines a flag that takes one of several words; the first is the default.
func (s *Set) Choice(p *string, name string, words []string, usage string) {
	s.ChoiceOr(p, name, words[0], words, usage)
}

// ChoiceOr is Choice with any of the words as the default.
func (s *Set) ChoiceOr(p *string, name, value string, words []string, usage string) {
	*p = value
	s.Var(&choice{p, words}, name, usage+" `"+strings.Join(words, "|")+"`")
}

func (s *Set) add(name string) {
	f := s.flags.Lookup(name)
	placeholder, description := flag.UnquoteUsage(f)
	if _, ok := f.Value.(*choice); ok {
		description = strings.TrimSuffix(description, " "+placeholder)
	}
	_, list := f.Value.(interface{ Repeatable() })
	def := f.DefValue
	if placeholder == "" && def == "false" || def == "0" { // off, or a number that is found out
		def = ""
	}
	s.infos = append(s.infos, Info{Name: name, Placeholder: placeholder, Default: def, Description: description, Repeatable: list, Group: s.group})
}

// Short makes a letter mean the same as the flag name, which is defined already.
func (s *Set) Short(letter, name string) {
	f := s.flags.Lookup(name)
	s.flags.Var(f.Value, letter, f.Usage)
	i := slices.IndexFunc(s.infos, func(i Info) bool { return i.Name == name })
	s.infos[i].Short = letter
}

// Set sets a flag as the command line would.
func (s *Set) Set(name, value string) error {
	if err := s.flags.Set(name, value); err != nil {
		return exit.Usagef("flag --%s: %w", name, err)
	}
	return nil
}

// Value returns what a flag is set to, as text.
func (s *Set) Value(name string) string { return s.flags.Lookup(name).Value.String() }

// Infos describes the flags in the order of their definition.
func (s *Set) Infos() []Info { return slices.Clone(s.infos) }

// Choices returns the words that a flag takes, or nil if it takes others too.
func (s *Set) Choices(name string) []string {
	if f := s.flags.Lookup(name); f != nil {
		if c, ok := f.Value.(*choice); ok {
			return slices.Clone(c.words)
		}
	}
	return nil
}

// Repeatable reports whether a flag is a list.
func (s *Set) Repeatable(name string) bool {
	if f := s.flags.Lookup(name); f != nil {
		_, list := f.Value.(interface{ Repeatable() })
		return list
	}
	return false
}

// Pending returns the flag whose value the word after argv is, or "".
func (s *Set) Pending(argv []string) string {
	for len(argv) > 0 && argv[0] != "--" {
		if a := argv[0]; a == "-" || !strings.HasPrefix(a, "-") {
			argv = argv[1:]
			continue
		}
		name := strings.TrimLeft(argv[0], "-")
		if f := s.flags.Lookup(name); f != nil && len(argv) == 1 && s.takesValue(f) {
			return s.long(name)
		}
		argv = argv[s.span(argv):]
	}
	return ""
}

func (s *Set) takesValue(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !b.IsBoolFlag()
}

// long returns the whole name of a flag that may be given by a letter.
func (s *Set) long(name string) string {
	for _, i := range s.infos {
		if i.Short == name {
			return i.Name
		}
	}
	return name
}

// Given reports whether the flag was on the command line.
func (s *Set) Given(name string) bool {
	given := false
	value := s.flags.Lookup(name).Value // which a short form shares
	s.flags.Visit(func(f *flag.Flag) { given = given || f.Value == value })
	return given
}

// Changed reports whether a flag has another value than its default: pipelines
// name flags with their defaults too.
func (s *Set) Changed(name string) bool {
	f := s.flags.Lookup(name)
	return f.Value.String() != f.DefValue
}

// ErrHelp is the error of Parse when -h or --help was given.
var ErrHelp = flag.ErrHelp

// Parse reads flags, wherever they stand between the arguments, and gives the
// arguments before "--" and those after it; after is nil without a "--".
// The words of a flag that is a list can stand between "--name=[" and "]".
func (s *Set) Parse(argv []string) (args, after []string, err error) {
	for len(argv) > 0 { // to the end, even after an error: flags say how it is reported
		if argv[0] == "--" {
			return args, slices.Clone(argv[1:]), err
		}
		if a := argv[0]; a == "-" || !strings.HasPrefix(a, "-") {
			args, argv = append(args, a), argv[1:]
			continue
		}
		if name, items, rest, ok := s.list(argv); ok {
			if rest == nil {
				return nil, nil, exit.Usagef("flag --%s: the list that [ opens has no ]", name)
			}
			for _, item := range items {
				if e := s.flags.Parse([]string{"--" + name + "=" + item}); e != nil && err == nil {
					err = s.explain("--"+name, e)
				}
			}
			argv = rest
			continue
		}
		one := s.span(argv)
		if e := s.flags.Parse(argv[:one]); e != nil && err == nil {
			err = s.explain(argv[0], e)
		}
		argv = argv[one:]
	}
	return args, nil, err
}

// list reads the words of --name=[ a b ] at the front of argv: Tekton puts the
// items of an array parameter into the arguments one by one, and none of them
// for an empty array. Without a ] rest is nil.
func (s *Set) list(argv []string) (name string, items, rest []string, ok bool) {
	name, ok = strings.CutSuffix(strings.TrimLeft(argv[0], "-"), "=[")
	f := s.flags.Lookup(name)
	if !ok || f == nil {
		return name, nil, nil, false
	}
	if _, many := f.Value.(interface{ Repeatable() }); !many {
		return name, nil, nil, false
	}
	if end := slices.Index(argv, "]"); end > 0 {
		return name, argv[1:end], argv[end+1:], true
	}
	return name, nil, nil, true
}

// span returns how many words the flag at the front of argv takes.
func (s *Set) span(argv []string) int {
	name := strings.TrimLeft(argv[0], "-")
	f := s.flags.Lookup(name)
	if f == nil || strings.Contains(name, "=") {
		return 1
	}
	if !s.takesValue(f) {
		return 1
	}
	return min(2, len(argv))
}

func (s *Set) explain(word string, err error) error {
	if err == flag.ErrHelp {
		return ErrHelp
	}
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	e := &exit.Error{Code: exit.Usage, Err: err}
	if s.flags.Lookup(name) == nil {
		e.Err = fmt.Errorf("unknown flag --%s", name)
		var names []string
		for _, i := range s.infos {
			names = append(names, i.Name)
		}
		if n := text.Nearest(name, names); n != "" {
			e.Hint("did you mean --%s?", n)
		}
		return e
	}
	if _, cause, ok := strings.Cut(err.Error(), "for flag -"+name+": "); ok {
		e.Err = fmt.Errorf("flag --%s: %s", name, cause)
	} else if strings.HasPrefix(err.Error(), "invalid boolean value") {
		e.Err = fmt.Errorf("flag --%s is a switch: it takes no value, true or false", name)
	} else if strings.HasPrefix(err.Error(), "flag needs an argument") {
		e.Err = fmt.Errorf("flag --%s needs a value", name)
	}
	return e
}

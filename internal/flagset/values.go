package flagset

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Words is a flag's value that is a list of words without blanks, separated by
// commas, white space or line breaks, or a JSON array; naming the flag again
// adds words.
type Words []string

// String returns the words separated by commas.
func (w *Words) String() string { return strings.Join(*w, ",") }

// Repeatable marks a list.
func (w *Words) Repeatable() {}

// Set adds the words of s.
func (w *Words) Set(s string) error {
	words, err := SplitWords(s)
	*w = append(*w, words...)
	return err
}

// SplitWords splits s as Words does.
func SplitWords(s string) ([]string, error) {
	if t := strings.TrimSpace(s); strings.HasPrefix(t, "[") {
		var a []string
		if err := json.Unmarshal([]byte(t), &a); err != nil {
			return nil, fmt.Errorf("%q starts with [ and is no JSON array of strings: %w", s, err)
		}
		return a, nil
	}
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }), nil
}

// Lines is a flag's value that is a list of free texts, one on each line;
// naming the flag again adds lines. Blank lines do not count.
type Lines []string

// String returns the texts on a line each.
func (l *Lines) String() string { return strings.Join(*l, "\n") }

// Repeatable marks a list.
func (l *Lines) Repeatable() {}

// Set adds the lines of s.
func (l *Lines) Set(s string) error {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			*l = append(*l, line)
		}
	}
	return nil
}

type choice struct {
	p     *string
	words []string
}

func (c *choice) String() string {
	if c.p == nil {
		return ""
	}
	return *c.p
}

func (c *choice) Set(s string) error {
	if slices.Contains(c.words, s) {
		*c.p = s
		return nil
	}
	last := len(c.words) - 1
	return fmt.Errorf("it takes %s or %s", strings.Join(c.words[:last], ", "), c.words[last])
}

type timeout time.Duration

func (t *timeout) String() string { return time.Duration(*t).String() }

func (t *timeout) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is not a time such as 90s or 5m", s)
	}
	if d <= 0 {
		return fmt.Errorf("it must be more than 0, and is %s", s)
	}
	*t = timeout(d)
	return nil
}

package builder

import (
	"regexp"
	"strings"
)

var (
	plainWord  = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)
	secretName = regexp.MustCompile(`(?i)^((?:--?[a-z-]+=|build-arg:)?[a-z0-9_]*(?:token|secret|passw|credential|apikey|api_key|private_key)[a-z0-9_]*=).+`)
)

// CommandLine gives a step as a shell takes it. The values of arguments whose
// names speak of a secret are left out: a log is read by more people than a
// build argument is meant for.
func (s Step) CommandLine() string {
	words := make([]string, len(s.Argv))
	for i, w := range s.Argv {
		words[i] = quote(secretName.ReplaceAllString(w, "${1}***"))
	}
	return strings.Join(words, " ")
}

func quote(w string) string {
	if plainWord.MatchString(w) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

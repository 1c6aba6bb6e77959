package builder

import (
	"regexp"
	"slices"
	"strings"
)

var (
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

	// NAME=…, --flag=NAME=…, build-arg:NAME=…
	secretName = regexp.MustCompile(`(?i)^((?:--?[a-z-]+=|build-arg:)?[a-z0-9_.-]*` + namesSecret + `=).+`)
	// type=s3,secret_access_key=…,region=…
	secretField = regexp.MustCompile(`(?i)([,;&?][a-z0-9_.-]*` + namesSecret + `=)[^,;&]+`)
	// https://user:password@host, https://token@host
	secretInURL = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://[^/\s:@]*:|(?:https?|git|ssh|ftp)://)[^/\s@]+@`)
	// a header that the user's own command sends
	secretInHeader = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization:\s*(?:[a-z]+\s+)?)\S.*`)
	// --password VALUE, as two words; --secret names a mount, and no value
	secretFlag = regexp.MustCompile(`(?i)^--?[a-z0-9-]*(?:token|passw|passphrase|credential|api-?key|access-?key)[a-z0-9-]*$`)
)

// namesSecret is part of a name whose value is a secret. PAT is a word of its
// own: PATH is not one.
const namesSecret = `(?:[a-z0-9_.-]*(?:token|secret|passw|passphrase|credential|key|auth)[a-z0-9_.-]*|(?:[a-z0-9_.-]*[_.-])?pat(?:[_.-][a-z0-9_.-]*)?)`

const hidden = "***"

// CommandLine returns a step as a shell takes it. The values of arguments whose
// names suggest a secret, credentials in URLs and headers, and what s.Hidden
// lists are left out: a log has more readers than a build argument.
func (s Step) CommandLine() string {
	words := make([]string, len(s.Argv))
	for i, w := range s.Argv {
		if i > 0 && secretFlag.MatchString(s.Argv[i-1]) && !strings.HasPrefix(w, "-") {
			words[i] = quote(hidden)
			continue
		}
		if slices.Contains(s.Hidden, w) {
			name, _, _ := strings.Cut(w, "=")
			w = name + "=" + hidden
		}
		if _, value, _ := strings.Cut(w, "="); value != "true" && value != "false" {
			w = secretName.ReplaceAllString(w, "${1}"+hidden)
		}
		w = secretField.ReplaceAllString(w, "${1}"+hidden)
		w = secretInURL.ReplaceAllString(w, "${1}"+hidden+"@")
		w = secretInHeader.ReplaceAllString(w, "${1}"+hidden)
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

func quote(w string) string {
	if plainWord.MatchString(w) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

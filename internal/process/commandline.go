package process

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

// CommandLine returns a command as a shell takes it. The values of arguments
// whose names suggest a secret, credentials in URLs and headers, and the values
// of the words that secret lists, are left out: a log has more readers than a
// command line.
func CommandLine(argv, secret []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		if i > 0 && secretFlag.MatchString(argv[i-1]) && !strings.HasPrefix(w, "-") {
			words[i] = quote(hidden)
			continue
		}
		if slices.Contains(secret, w) {
			name, _, _ := strings.Cut(w, "=")
			w = name + "=" + hidden
		}
		words[i] = quote(redact(w))
	}
	return strings.Join(words, " ")
}

// Redact leaves out of the text of a shell command what CommandLine leaves out
// of an argument, as far as blanks tell its words apart.
func Redact(script string) string {
	words := strings.Split(script, " ")
	for i, w := range words {
		if i > 0 && secretFlag.MatchString(words[i-1]) && !strings.HasPrefix(w, "-") && !strings.HasPrefix(w, "$") && !strings.HasPrefix(w, `"$`) {
			words[i] = hidden
			continue
		}
		words[i] = redact(w)
	}
	return secretInHeader.ReplaceAllString(strings.Join(words, " "), "${1}"+hidden)
}

// redact leaves the secrets of one word out.
func redact(w string) string {
	if _, value, _ := strings.Cut(w, "="); value != "true" && value != "false" {
		w = secretName.ReplaceAllString(w, "${1}"+hidden)
	}
	w = secretField.ReplaceAllString(w, "${1}"+hidden)
	w = secretInURL.ReplaceAllString(w, "${1}"+hidden+"@")
	return secretInHeader.ReplaceAllString(w, "${1}"+hidden)
}

func quote(w string) string {
	if plainWord.MatchString(w) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

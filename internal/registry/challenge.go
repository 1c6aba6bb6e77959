package registry

import "strings"

// A challenge is one way in which a host asks to be shown a credential.
type challenge struct {
	scheme string // lower case
	params map[string]string
}

// parseChallenges reads WWW-Authenticate headers (RFC 9110, section 11.6.1).
func parseChallenges(headers []string) []challenge {
	var cs []challenge
	for _, h := range headers {
		for h = strings.TrimLeft(h, " ,\t"); h != ""; h = strings.TrimLeft(h, " ,\t") {
			word, rest := token(h)
			if word == "" {
				break // not of this grammar
			}
			if after, ok := strings.CutPrefix(strings.TrimLeft(rest, " \t"), "="); ok && len(cs) > 0 {
				value, after := paramValue(strings.TrimLeft(after, " \t"))
				cs[len(cs)-1].params[strings.ToLower(word)] = value
				h = after
				continue
			}
			cs = append(cs, challenge{strings.ToLower(word), map[string]string{}})
			h = rest
		}
	}
	return cs
}

func token(s string) (word, rest string) {
	i := strings.IndexAny(s, " \t,=\"")
	if i < 0 {
		i = len(s)
	}
	return s[:i], s[i:]
}

func paramValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		return token(s)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			i++
			if i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

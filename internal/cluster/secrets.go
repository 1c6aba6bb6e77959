package cluster

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
)

// secrets are the credentials that went to a server, which may send them back.
type secrets struct {
	mu   sync.Mutex
	sent []string
}

// note makes a transport remember the credentials of the requests it carries.
func (s *secrets) note(rt http.RoundTripper) http.RoundTripper { return noting{s, rt} }

type noting struct {
	secrets *secrets
	next    http.RoundTripper
}

func (n noting) RoundTrip(r *http.Request) (*http.Response, error) {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	n.secrets.add(value)
	if strings.EqualFold(scheme, "Basic") {
		if b, err := base64.StdEncoding.DecodeString(value); err == nil {
			_, password, _ := strings.Cut(string(b), ":")
			n.secrets.add(password)
		}
	}
	return n.next.RoundTrip(r)
}

// shortest is the minimum length of a secret: a shorter word may be in a text
// by chance.
const shortest = 6

func (s *secrets) add(secret string) {
	if len(secret) < shortest {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.sent {
		if o == secret {
			return
		}
	}
	s.sent = append(s.sent, secret)
}

// scrub hides the secrets in a text, before anything cuts it.
func (s *secrets) scrub(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.sent {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// scrubSurvey hides the secrets in what a survey says.
func (s *secrets) scrubSurvey(v *Survey) {
	for _, groups := range [][]Group{v.LeftOut, v.Notes} {
		for i := range groups {
			g := &groups[i]
			g.Platform, g.Reason, g.Example = s.scrub(g.Platform), s.scrub(g.Reason), s.scrub(g.Example)
		}
	}
	for _, lines := range [][]string{v.Warnings, v.Unknown} {
		for i := range lines {
			lines[i] = s.scrub(lines[i])
		}
	}
	for _, o := range v.Offers {
		for i := range o.Taints {
			o.Taints[i].Key, o.Taints[i].Value = s.scrub(o.Taints[i].Key), s.scrub(o.Taints[i].Value)
		}
	}
}

package registry

import "github.com/google/go-containerregistry/pkg/authn"

// maxScopes is how many repositories one token is asked for, whose names stand
// in a URL, where many are read.
const maxScopes = 40

// apart gives a repository a session of its own, where others share one that
// did not get it in: some token services refuse a token for many for the sake
// of one, or heed one scope alone. It reports whether that is new.
func (c *Client) apart(s *session, repo Repository) bool {
	s.mu.Lock()
	shared := len(s.scopes) > 1
	s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, alone := c.alone[repo]; alone || !c.o.Many || !shared {
		return false
	}
	c.alone[repo] = -1 - len(c.alone)
	return true
}

// group returns which session of a credential a repository belongs to. The
// caller holds c.mu.
func (c *Client) group(repo Repository, cred authn.AuthConfig) int {
	if !c.o.Many {
		return 0
	}
	if n, alone := c.alone[repo]; alone {
		return n
	}
	n, known := c.groups[repo]
	if !known {
		key := sessionKey{host: repo.Host, cred: cred}
		n = c.grouped[key] / maxScopes
		c.grouped[key]++
		c.groups[repo] = n
	}
	return n
}

// learn takes over how the host wants to be asked from another session with it.
func (s *session) learn() {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	if s.host.challenge != nil {
		s.scheme, s.challenge = bearer, *s.host.challenge
		s.generation++
	}
}

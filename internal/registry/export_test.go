package registry

import (
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Trusted calls trusted for a client to which some hosts are insecure.
func Trusted(from, to string, insecure ...string) error {
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	return New(Options{Insecure: insecure}).trusted(from, u)
}

// Control is control.
var Control = control

// WithKeychain makes a client like c.
func WithKeychain(c *Client, k authn.Keychain) *Client {
	o := c.o
	o.Keychain = k
	return New(o)
}

// WithTransport makes a client like c.
func WithTransport(c *Client, t http.RoundTripper) *Client {
	o := c.o
	o.Transport = t
	return New(o)
}

// TransportOf returns a client's transport.
func TransportOf(c *Client) http.RoundTripper { return c.o.Transport }

// Many returns a client with Options.Many.
func Many(c *Client) *Client {
	o := c.o
	o.Many = true
	return New(o)
}

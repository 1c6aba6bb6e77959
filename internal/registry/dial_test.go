package registry_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/polyarch/polyarch/internal/registry"
)

// resolved is a world in which names lead to the addresses that it says: a
// connection goes to one if control lets it.
func resolved(w *world, at map[string][]string) *http.Transport {
	t := registry.TransportOf(w.client).(*http.Transport).Clone()
	direct := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		var errs []error
		for _, ip := range at[address] {
			var raw syscall.RawConn
			if err := registry.Control(ctx, network, net.JoinHostPort(ip, "443"), raw); err != nil {
				errs = append(errs, &net.OpError{Op: "dial", Err: err})
				continue
			}
			w.mu.Lock()
			w.dialled = append(w.dialled, ip)
			w.mu.Unlock()
			if ip != "192.0.2.99" { // where nobody answers
				return direct(ctx, network, address)
			}
		}
		return nil, errors.Join(append(errs, &net.DNSError{IsNotFound: true, Name: address})...)
	}
	return t
}

// A name that another host chose does not lead to this machine, nor to the
// services that only it can reach.
func TestNamesThatLeadInside(t *testing.T) {
	repo := registry.Repository{Host: "example.com", Path: "app"}
	for _, c := range []struct {
		home, there []string
		ok          bool
	}{
		{[]string{"192.0.2.1"}, []string{"192.0.2.2"}, true},
		{[]string{"192.0.2.1"}, []string{"10.0.0.2"}, true},
		{[]string{"192.0.2.1"}, []string{"127.0.0.1"}, false},
		{[]string{"192.0.2.1"}, []string{"::1"}, false},
		{[]string{"192.0.2.1"}, []string{"::ffff:127.0.0.1"}, false},
		{[]string{"192.0.2.1"}, []string{"0.0.0.0"}, false},
		{[]string{"192.0.2.1"}, []string{"169.254.169.254"}, false},
		{[]string{"192.0.2.1"}, []string{"fe80::1"}, false},
		{[]string{"192.0.2.1"}, []string{"127.0.0.1", "192.0.2.2"}, true}, // the other one is taken
		{[]string{"10.0.0.1"}, []string{"127.0.0.1"}, false},
		{[]string{"127.0.0.1"}, []string{"127.0.0.1"}, true}, // a name of the user's for this machine
		{[]string{"127.0.0.1"}, []string{"169.254.169.254"}, false},
	} {
		for name, way := range ways {
			if name == "a redirect of an upload" || name == "where to upload" || name == "the next page of referrers" {
				continue // nothing is sent there
			}
			reached := false
			away := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached = true; w.WriteHeader(http.StatusNotFound) })
			w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { way.send("https://cdn.example", rw, r) }), map[string]http.Handler{"cdn.example": away})
			w.client = registry.WithTransport(w.client, resolved(w, map[string][]string{"example.com:443": c.home, "cdn.example:443": c.there}))
			err := way.do(t.Context(), w.client, repo)
			if reached != c.ok || err == nil {
				t.Errorf("%s from %s to %s: reached: %v, %v", name, c.home, c.there, reached, err)
			}
			if !c.ok && (slices.Contains(w.dialled[1:], c.there[0]) && c.there[0] != c.home[0] || err == nil || !strings.Contains(err.Error(), "another host chose it")) {
				t.Errorf("%s from %s to %s: dialled %q, %v", name, c.home, c.there, w.dialled, err)
			}
		}
	}
}

// A registry whose own name leads to several addresses, of which one is this
// machine's, opens no way to it.
func TestNamesThatLeadToSeveral(t *testing.T) {
	repo := registry.Repository{Host: "example.com", Path: "app"}
	reached := false
	away := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached = true })
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { redirectTo("https://cdn.example", w, r) }), map[string]http.Handler{"cdn.example": away})
	w.client = registry.WithTransport(w.client, resolved(w, map[string][]string{"example.com:443": {"192.0.2.99", "127.0.0.1", "192.0.2.1"}, "cdn.example:443": {"127.0.0.1"}}))
	if err := readManifest(t.Context(), w.client, repo); err == nil || reached {
		t.Errorf("reached: %v, %v", reached, err)
	}
}

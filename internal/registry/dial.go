package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// A passage goes with a request to where its connection is made: trusted has
// looked at the name of a host, and a name can lead to any address.
type passage struct {
	registry string // that the request is for
	chosen   bool   // the registry, or a host behind it, chose where to connect
	reached  *sync.Map
}

type passageKey struct{}

// errInside is a reason why no connection was made.
var errInside = errors.New("another host chose it")

// newDialer is that of net/http's default transport, which heeds passages.
func newDialer() *net.Dialer {
	return &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, ControlContext: control}
}

// control refuses loopback and link-local addresses for a name that another
// host chose, unless the registry itself is reached on such an address. Private
// addresses are let through: registries in private networks have storage there.
func control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	p, ok := ctx.Value(passageKey{}).(passage)
	if !ok {
		return nil
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil // no address of the Internet's
	}
	to := reachOfAddress(at.Addr())
	if !p.chosen {
		if before, ok := p.reached.LoadOrStore(p.registry, to); ok && before != to {
			p.reached.Store(p.registry, anyone) // its name leads to several addresses
		}
		return nil
	}
	if home, _ := p.reached.Load(p.registry); to != thisMachine && to != linkLocal || home == to || reachOf(p.registry) == thisMachine {
		return nil
	}
	return fmt.Errorf("%s is %s, and %w", at.Addr(), to, errInside)
}

// pass says for control what a request is. The user chose a proxy, wherever it
// is.
func (c *Client) pass(req *http.Request, registry string) *http.Request {
	if t, ok := c.o.Transport.(*http.Transport); ok && t.Proxy != nil {
		if u, err := t.Proxy(req); err == nil && u != nil {
			return req
		}
	}
	p := passage{registry: registry, chosen: req.URL.Host != c.host(registry).url("", nil).Host && !c.insecure(req.URL.Host), reached: &c.reached}
	return req.WithContext(context.WithValue(req.Context(), passageKey{}, p))
}

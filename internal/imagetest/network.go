package imagetest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// A Network connects clients to servers in memory, so that tests in a
// testing/synctest bubble run on its clock.
type Network struct {
	mu          sync.Mutex
	hosts       map[string]*listener
	servers     []*http.Server
	serving     sync.WaitGroup // until a server accepts no more connections
	connections sync.WaitGroup // of the servers
}

// NewNetwork makes a network without servers.
func NewNetwork() *Network { return &Network{hosts: map[string]*listener{}} }

// Serve starts a server that is reached at host:80, each of whose answers
// takes delay to come.
func (n *Network) Serve(host string, delay time.Duration, h http.Handler) {
	l := &listener{ch: make(chan net.Conn), done: make(chan struct{})}
	n.mu.Lock()
	n.hosts[host] = l
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(delay)
			h.ServeHTTP(w, r)
		}),
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew: // in Serve
				n.connections.Add(1)
			case http.StateClosed, http.StateHijacked: // at the very end of the connection's goroutine
				n.connections.Done()
			}
		},
	}
	n.servers = append(n.servers, s)
	n.mu.Unlock()
	n.serving.Go(func() { s.Serve(l) })
}

// Transport returns a transport on the network.
func (n *Network) Transport() *http.Transport {
	return &http.Transport{
		MaxIdleConnsPerHost: 64,
		DisableCompression:  true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			n.mu.Lock()
			l := n.hosts[host]
			n.mu.Unlock()
			if l == nil {
				return nil, &net.OpError{Op: "dial", Net: "memory", Err: fmt.Errorf("no host %s", host)}
			}
			client, server := net.Pipe()
			select {
			case l.ch <- server:
				return client, nil
			case <-l.done:
				return nil, net.ErrClosed
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}
}

// Close stops all servers and waits for what they are doing. The clock of a
// bubble stands still once its test has returned: a handler that begins, or a
// connection that lingers, after that would sleep forever.
func (n *Network) Close() {
	n.mu.Lock()
	servers := n.servers
	n.mu.Unlock()
	for _, s := range servers {
		s.Close()
	}
	n.serving.Wait()
	for _, s := range servers {
		s.Close() // the connections that were accepted meanwhile
	}
	n.connections.Wait()
}

type listener struct {
	ch   chan net.Conn
	done chan struct{}
	once sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ch:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "memory"} }

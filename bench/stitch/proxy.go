package main

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// A proxy passes requests on to a registry after a delay, and keeps when each
// began and ended.
type proxy struct {
	host string
	http *http.Server

	mu       sync.Mutex
	delay    time.Duration
	requests []interval
}

type interval struct{ from, to time.Time }

func newProxy(to string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{host: l.Addr().String()}
	// The Host header stays, so that the registry names the proxy in Location.
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})
	pass.Transport = &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	p.http = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := time.Now()
		p.mu.Lock()
		delay := p.delay
		p.mu.Unlock()
		time.Sleep(delay)
		pass.ServeHTTP(w, r)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.requests = append(p.requests, interval{from, time.Now()})
	})}
	go p.http.Serve(l)
	return p, nil
}

// start forgets the requests so far and sets the delay.
func (p *proxy) start(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.requests = delay, nil
}

func (p *proxy) seen() []interval {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// chain returns the length of the longest run of requests each of which began
// after the one before had ended.
func chain(all []interval) int {
	slices.SortFunc(all, func(a, b interval) int { return a.to.Compare(b.to) })
	n := 0
	var last time.Time
	for _, i := range all {
		if !i.from.Before(last) {
			n++
			last = i.to
		}
	}
	return n
}

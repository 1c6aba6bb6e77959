package registry

import (
	"net/http"
	"net/url"
	"testing"
)

// Whatever a Link header says, the next page is at the same host.
func FuzzNextPage(f *testing.F) {
	for _, s := range []string{`</v2/a/referrers/b?n=1>; rel="next"`, `<https://evil.example/>; rel=next`, `<//evil.example>;rel="next"`, `<`, `<>; rel="next", <x>`, `</a>; rel="prev"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		at := &url.URL{Scheme: "https", Host: "registry.example", Path: "/v2/app/referrers/x"}
		next, err := nextPage(&http.Response{Header: http.Header{"Link": {header}}, Request: &http.Request{URL: at}})
		if err == nil && next != nil && (next.Host != at.Host || next.Scheme != at.Scheme) {
			t.Errorf("%q leads to %s", header, next)
		}
	})
}

// Nothing that is trusted leads from a public host to this machine.
func FuzzReachOf(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "[::1]:5", "localhost", "0x7f.1", "example.com:443", "1.2.3.4", "[fe80::1%25a]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if loopback(host) && reachOf(host) != thisMachine {
			t.Errorf("%q is loopback, and %q", host, reachOf(host))
		}
	})
}

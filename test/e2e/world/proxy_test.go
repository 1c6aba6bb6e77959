package world

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// ours are the names that the proxy leads to servers of the test.
var ours = []string{"github.com", "api.github.com", "uploads.github.com", "ghcr.io"}

// A proxy answers CONNECT. Connections to our names end at a TLS server of this
// process, all others where they are to go.
type proxy struct {
	handler     http.Handler // of our names
	certificate tls.Certificate
	authority   string // a file with all authorities of this machine, and ours
	alone       string // a file with ours
}

func newProxy(t *testing.T, handler http.Handler) *proxy {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the world"}, DNSNames: ours,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{handler: handler, certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	system, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	p.authority, p.alone = filepath.Join(t.TempDir(), "all.crt"), filepath.Join(t.TempDir(), "own.crt")
	for path, b := range map[string][]byte{p.authority: append(system, own...), p.alone: own} {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// serve serves a handler until the test ends.
func serve(t *testing.T, l net.Listener, handler http.Handler) {
	t.Helper()
	server := &http.Server{Handler: handler}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "CONNECT alone", http.StatusMethodNotAllowed)
		return
	}
	host, _, _ := net.SplitHostPort(r.Host)
	var there net.Conn
	if !slices.Contains(ours, host) {
		var err error
		if there, err = net.DialTimeout("tcp", r.Host, time.Minute); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer there.Close()
	}
	here, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer here.Close()
	io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	if there == nil {
		done := make(chan struct{})
		server := &http.Server{Handler: p.handler, ErrorLog: log.New(io.Discard, "", 0), TLSConfig: &tls.Config{Certificates: []tls.Certificate{p.certificate}}}
		server.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				close(done)
			}
		}
		go server.ServeTLS(&single{conn: here}, "", "")
		<-done
		return
	}
	go func() {
		io.Copy(there, here)
		there.Close()
	}()
	io.Copy(here, there)
}

// A single is a listener with a single connection.
type single struct {
	conn net.Conn
	gone bool
}

func (s *single) Accept() (net.Conn, error) {
	if s.gone {
		return nil, net.ErrClosed
	}
	s.gone = true
	return s.conn, nil
}
func (s *single) Close() error   { return nil }
func (s *single) Addr() net.Addr { return s.conn.LocalAddr() }

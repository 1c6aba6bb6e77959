// Package registries runs stitch-index against registries as they are
// deployed: distribution v3, Debian's docker-registry 2.8 and
// go-containerregistry's own; in the open, with TLS and a password, and with
// tokens.
package registries

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// user and password are in htpasswd.
const (
	user, password = "user", "password"
	htpasswd       = "user:$2a$04$50cKiJNv5Ps66BvcObffpuDpfFDnAZobyBG0bcmIiDbtJux1CVwpK\n"
)

// A server is a registry that runs.
type server struct {
	host   string
	client http.RoundTripper // trusts its certificate
}

// kinds start a registry program; the config is distribution's.
var kinds = map[string]func(t *testing.T, dir, config, address string) *exec.Cmd{
	"distribution v3": func(t *testing.T, _, config, _ string) *exec.Cmd {
		cmd := exec.Command(tool.Build(t, tool.Distribution), "serve", config)
		cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
		return cmd
	},
	"docker-registry 2.8": func(t *testing.T, _, config, _ string) *exec.Cmd {
		path, err := exec.LookPath("docker-registry")
		if err != nil {
			t.Skip("Debian's docker-registry is not installed")
		}
		return exec.Command(path, "serve", config)
	},
	"go-containerregistry": func(t *testing.T, dir, _, address string) *exec.Cmd {
		cmd := exec.Command(tool.Build(t, tool.Crane), "registry", "serve", "--address", address, "--disk", dir)
		return cmd
	},
}

// start runs a registry that keeps its things in dir. auth is a part of
// distribution's config, certificate the paths of a certificate and its key;
// both may be empty.
func start(t *testing.T, kind, dir, auth string, certificate [2]string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{host: l.Addr().String(), client: http.DefaultTransport}
	l.Close()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\nhttp:\n  addr: %q\n", dir, s.host)
	scheme := "http"
	if certificate[0] != "" {
		scheme = "https"
		config += fmt.Sprintf("  tls: {certificate: %q, key: %q}\n", certificate[0], certificate[1])
		s.client = trusting(t, certificate[0])
	}
	file := filepath.Join(t.TempDir(), "config.yml")
	write(t, file, config+auth)
	cmd := kinds[kind](t, dir, file, s.host)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 200 {
		if resp, err := (&http.Client{Transport: s.client}).Get(scheme + "://" + s.host + "/v2/"); err == nil {
			resp.Body.Close()
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not answer", kind)
	return nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A key pair of a private authority, for loopback.
type pair struct {
	files [2]string
	der   []byte
	key   *ecdsa.PrivateKey
}

func newPair(t *testing.T) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "polyarch test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := pair{[2]string{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}, der, key}
	write(t, p.files[0], string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, p.files[1], string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})))
	return p
}

func trusting(t *testing.T, certificate string) http.RoundTripper {
	t.Helper()
	b, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	return transport
}

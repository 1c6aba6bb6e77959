package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A pki is the cluster's certificate authority and the folder that its certificates and keys are
// written to, as NAME.crt and NAME.key.
type pki struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// lifetime is longer than any test run and short enough to be worthless after it.
const lifetime = 24 * time.Hour

func newPKI(dir string) (*pki, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making certificates: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making certificates: %w", err)
	}
	p := &pki{dir: dir, key: key}
	p.cert = template("polyarch e2e")
	p.cert.IsCA, p.cert.BasicConstraintsValid = true, true
	p.cert.KeyUsage |= x509.KeyUsageCertSign
	if err := p.write("ca", p.cert, key); err != nil {
		return nil, err
	}
	// Service account tokens are signed by a key of their own.
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making certificates: %w", err)
	}
	return p, p.write("service-account", template("service-account"), signer)
}

func template(name string, organization ...string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // never fails
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: organization},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// server writes a serving certificate, good for a client certificate of the same name too.
func (p *pki) server(file, user string, groups []string, hosts ...string) error {
	cert := template(user, groups...)
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, h)
		}
	}
	return p.issue(file, cert)
}

// client writes a certificate that an API server takes for the user with these groups.
func (p *pki) client(file, user string, groups ...string) error {
	cert := template(user, groups...)
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return p.issue(file, cert)
}

func (p *pki) issue(file string, cert *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making certificate %s: %w", file, err)
	}
	return p.write(file, cert, key)
}

// write signs cert and stores it with its key.
func (p *pki) write(file string, cert *x509.Certificate, key crypto.Signer) error {
	der, err := x509.CreateCertificate(rand.Reader, cert, p.cert, key.Public(), p.key)
	if err != nil {
		return fmt.Errorf("making certificate %s: %w", file, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("making certificate %s: %w", file, err)
	}
	for _, f := range []struct {
		path, kind string
		der        []byte
	}{
		{p.crt(file), "CERTIFICATE", der},
		{p.private(file), "PRIVATE KEY", private},
	} {
		if err := os.WriteFile(f.path, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), 0o600); err != nil {
			return fmt.Errorf("making certificate %s: %w", file, err)
		}
	}
	return nil
}

func (p *pki) crt(file string) string     { return filepath.Join(p.dir, file+".crt") }
func (p *pki) private(file string) string { return filepath.Join(p.dir, file+".key") }

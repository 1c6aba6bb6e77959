// Command images is the build command with which stitch-index builds
// polyarch's own images: one static binary and the CA certificates, nothing
// else, with an SBOM beside it.
//
//	stitch-index --image R/detect-arch --tag v1 --platform … -- bin/images detect-arch
package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/polyarch/polyarch/hack/image"
	"github.com/polyarch/polyarch/hack/spdx"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/platform"
)

func main() {
	if err := run(os.Args[1:], os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "images: error:", err)
		os.Exit(1)
	}
}

func run(args []string, getenv func(string) string) error {
	layout := getenv("OCI_LAYOUT")
	if len(args) != 1 || layout == "" {
		return errors.New("usage: stitch-index … -- images BINARY; stitch-index sets OCI_LAYOUT and PLATFORM")
	}
	name := args[0]
	p, err := platform.Parse(getenv("PLATFORM"))
	if err != nil {
		return err
	}
	const variables = "github.com/polyarch/polyarch/internal/command"
	program, err := image.Compile(".", "./cmd/"+name, "-X "+variables+".Version="+command.Version+" -X "+variables+".Commit="+command.Commit, p)
	if err != nil {
		return err
	}
	return image.Image{
		Platform: p,
		Files: []image.File{
			{Path: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Content: certificates()},
			{Path: "usr/local/bin/" + name, Mode: 0o755, Content: program},
		},
		Config: v1.Config{
			Entrypoint: []string{"/usr/local/bin/" + name},
			User:       "65532:65532",
			Env:        []string{"PATH=/usr/local/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
			Labels: map[string]string{
				"org.opencontainers.image.title":    name,
				"org.opencontainers.image.source":   spdx.Source,
				"org.opencontainers.image.licenses": "Apache-2.0",
				"org.opencontainers.image.version":  command.Version,
				"org.opencontainers.image.revision": command.Commit,
			},
		},
		SBOM: func(digest v1.Hash) ([]byte, error) { return sbom(program, name, digest) },
	}.Write(layout)
}

// certificates returns Mozilla's roots, pinned by go.mod: those of this machine
// would make the digest depend on it.
func certificates() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil { // a file cannot carry a constraint
			pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return b.Bytes()
}

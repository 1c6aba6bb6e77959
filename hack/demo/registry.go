package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/google/go-containerregistry/pkg/registry"
)

type server struct {
	address string
	stop    func() error
}

// startRegistry serves an in-memory registry on address, or on a free port if
// that one is taken.
func startRegistry(address string) (*server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		host, _, splitErr := net.SplitHostPort(address)
		if splitErr != nil {
			return nil, fmt.Errorf("starting the registry: %w", err)
		}
		if l, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
			return nil, fmt.Errorf("starting the registry: %w", err)
		}
	}
	s := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	go s.Serve(l)
	return &server{address: l.Addr().String(), stop: s.Close}, nil
}

package main

import (
	"errors"
	"testing"

	"github.com/polyarch/polyarch/internal/platform"
)

func offers(t *testing.T, s string) []offer {
	t.Helper()
	l, err := platform.ParseList(s)
	if err != nil {
		t.Fatal(err)
	}
	var os []offer
	for i, p := range l {
		os = append(os, offer{platform: p, nodes: i})
	}
	return os
}

func TestChoose(t *testing.T) {
	for _, c := range []struct{ how, offered, arch, want string }{
		{"all", "linux/amd64,linux/arm64", "arm64", "linux/amd64,linux/arm64"},
		{"one", "linux/amd64,linux/arm64", "amd64", "linux/amd64"},
		{"one", "linux/amd64,linux/arm64,windows/arm64", "arm64", "linux/arm64"}, // on a Mac too
		{"one", "linux/amd64,windows/arm64", "arm64", "windows/arm64"},
		{"one", "linux/amd64,linux/arm64", "s390x", "linux/arm64"},
	} {
		got, err := choose(c.how, offers(t, c.offered), c.arch, true)
		if err != nil || list(got).String() != c.want {
			t.Errorf("%+v: %s, %v", c, list(got), err)
		}
	}
	// What depends on the number of nodes asks for exact ones.
	if _, err := choose("one", offers(t, "linux/amd64,linux/arm64"), "s390x", false); !errors.Is(err, errCounts) {
		t.Error(err)
	}
	if _, err := choose("one", offers(t, "linux/amd64,linux/arm64"), "arm64", false); err != nil {
		t.Error(err)
	}
	if _, err := choose("one", offers(t, "linux/amd64"), "arm64", false); err != nil {
		t.Error(err)
	}
}

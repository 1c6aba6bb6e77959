package main

import (
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	for want, got := range map[string]string{
		"copied 120.0 MB of 412.0 MB, 60.0 MB/s": rate("copied", 120e6, 412e6, 2*time.Second),
		"copied 412.0 MB, 206.0 MB/s":            rate("copied", 412e6, 412e6, 2*time.Second),
		"copying 12 B of 1.5 kB, 12 B/s":         rate("copying", 12, 1500, time.Second),
		"copied 2.00 GB, 1.00 GB/s":              rate("copied", 3e9, 2e9, 3*time.Second), // some of it twice
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

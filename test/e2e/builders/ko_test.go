package builders

import (
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// goProject is samples/hello as ko builds it.
func goProject(t *testing.T, k kind) project {
	t.Helper()
	dir := t.TempDir()
	for _, f := range []string{"go.mod", "main.go"} {
		if err := copyFile(filepath.Join(root(), "samples/hello", f), filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	p := project{context: dir}
	base := busybox
	switch k {
	case broken:
		write(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() {\n")
	case wrong:
		write(t, filepath.Join(dir, ".ko.yaml"), "builds:\n- {id: hello, env: [GOARCH=amd64]}\n")
	case endless:
		var host string
		host, p.waits = silent(t)
		base = host + "/base:1"
	}
	p.env = []string{"KO_DEFAULTBASEIMAGE=" + base}
	return p
}

// silent is a registry that never answers; asked tells whether somebody waits for it to.
func silent(t *testing.T) (host string, asked func() bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			t.Cleanup(func() { c.Close() })
		}
	}()
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), func() bool { return calls.Load() > 0 }
}

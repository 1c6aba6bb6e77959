package progress

import (
	"bytes"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestABlockIsDrawnOverItself(t *testing.T) {
	var out bytes.Buffer
	lines := []string{"linux/amd64  compiling a long file name", "linux/arm64"}
	b := &Block{w: &out, width: 20, render: func() []string { return lines }}
	b.draw()
	lines = []string{"linux/amd64  done", "a\x1b[2Jb\nc"}
	b.draw()
	want := "\r\x1b[Klinux/amd64  compi…\n\r\x1b[Klinux/arm64\n" +
		"\x1b[2A\r\x1b[Klinux/amd64  done\n\r\x1b[Ka\\x1b[2Jb c\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

func TestStopLeavesTheLastState(t *testing.T) {
	var out bytes.Buffer
	var state atomic.Value
	state.Store("running")
	b := Start(&out, 80, func() []string { return []string{state.Load().(string)} })
	state.Store("done")
	b.Stop()
	if !bytes.HasSuffix(out.Bytes(), []byte("done\n")) {
		t.Errorf("%q", out.String())
	}
}

func TestABufferIsNoTerminal(t *testing.T) {
	if w := Terminal(&bytes.Buffer{}, func(string) string { return "" }); w != 0 {
		t.Errorf("a buffer is %d wide", w)
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/command"
)

// A flood is a long stream that is made as it is read, and looks at the memory
// in use as it goes by.
type flood struct {
	documents int
	rest      *strings.Reader
	reads     int
	peak      uint64
}

func (f *flood) Read(p []byte) (int, error) {
	if f.reads++; f.reads%32 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		f.peak = max(f.peak, m.HeapAlloc)
	}
	if f.rest == nil || f.rest.Len() == 0 {
		if f.documents == 0 {
			return 0, io.EOF
		}
		f.documents--
		f.rest = strings.NewReader(fmt.Sprintf("---\nkind: Pod\napiVersion: v1\nmetadata:\n  name: p%d\n  annotations:\n    text: |\n%sspec:\n  containers:\n  - image: hello\n",
			f.documents, strings.Repeat("      a line of text that takes some room\n", 100)))
	}
	return f.rest.Read(p)
}

func TestMemoryDoesNotGrowWithTheStream(t *testing.T) {
	const documents = 10_000 // 42 MB
	in, out := &flood{documents: documents}, &counter{}
	var errs strings.Builder
	code := program().Exec(context.Background(), &command.Env{
		Stdin: in, Stdout: out, Stderr: &errs, Getenv: func(string) string { return "" },
	}, []string{"--quiet", "--offline", "--image", "hello=r/hello:1;linux/arm64"})
	if code != 0 || out.lines != documents*(100+10+13) {
		t.Errorf("code %d, %d lines\n%s", code, out.lines, errs.String())
	}
	if in.peak > 48<<20 {
		t.Errorf("%d MB of memory were in use", in.peak>>20)
	}
}

type counter struct{ lines int }

func (c *counter) Write(p []byte) (int, error) {
	c.lines += strings.Count(string(p), "\n")
	return len(p), nil
}

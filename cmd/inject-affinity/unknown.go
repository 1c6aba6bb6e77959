package main

import (
	"fmt"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/kubeyaml"
	"github.com/polyarch/polyarch/internal/pod"
	"github.com/polyarch/polyarch/internal/registry"
)

// An unknown is an image whose platforms are not known.
type unknown struct {
	image string
	err   error // says where the image stands, and which flag settles it
}

// unknownImage puts an image and its place before the reason why its platforms
// are not known, whose exit code it keeps. The hint is a flag that works as it
// is: what is not a reference has none to be replaced by.
func unknownImage(w *kubeyaml.Workload, c pod.Container, err error) unknown {
	ref := c.Image
	if _, invalid := registry.ParseReference(c.Image); invalid != nil {
		ref = ""
	}
	e := &exit.Error{Code: exit.CodeOf(err), Hints: exit.HintsOf(err), Err: fmt.Errorf("the platforms of image %s are not known: %s", c.Image, err.Error())}
	e.OnLine(c.Line, 0).Hint("name it in an --artifacts file, or with --image %s", shellQuoted(c.Image+"="+ref+";linux/amd64"))
	return unknown{c.Image, fmt.Errorf("%s: %w", title(w), e)}
}

// shellQuoted returns a word for a POSIX shell.
func shellQuoted(s string) string {
	out := []byte{'\''}
	for i := range len(s) {
		if s[i] == '\'' {
			out = append(out, `'\''`...)
			continue
		}
		out = append(out, s[i])
	}
	return string(append(out, '\''))
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/text"
)

// groups shows all that a build printed as a group that can be folded, once
// the build has ended: groups do not nest, and lines of one cannot stand
// between those of another. Until then a build's lines wait in a file.
type groups struct {
	base
	mu    sync.Mutex
	files map[string]*spool
}

type spool struct {
	file *os.File
	*bufio.Writer
}

func newGroups(b base) *groups { return &groups{base: b, files: map[string]*spool{}} }

func (g *groups) Running(leg builder.Leg, step builder.Step) {
	g.mu.Lock()
	_, began := g.files[leg.Name]
	if !began {
		g.files[leg.Name] = newSpool(leg.Dir)
	}
	g.mu.Unlock()
	if !began {
		g.env.Log.Infof("building %s", leg.Name)
	}
	g.Line(leg, "$ "+step.CommandLine())
}

// newSpool returns a file without a name, or nothing to write to: without it the
// build goes on, and its last lines are still shown if it fails.
func newSpool(dir string) *spool {
	f, err := os.CreateTemp(dir, "output-")
	if err != nil {
		return &spool{nil, bufio.NewWriter(io.Discard)}
	}
	os.Remove(f.Name()) // fails where an open file keeps its name; then it goes with the folder
	return &spool{f, bufio.NewWriter(f)}
}

func (g *groups) Line(leg builder.Leg, line string) {
	g.mu.Lock()
	s := g.files[leg.Name]
	g.mu.Unlock()
	fmt.Fprintln(s, text.Clean(line))
}

// Ended shows the group.
func (g *groups) Ended(leg builder.Leg, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.files[leg.Name]; s != nil && s.file != nil && !g.env.Log.Quiet() {
		s.Flush()
		if _, e := s.file.Seek(0, io.SeekStart); e == nil {
			g.env.Log.Group(leg.Name, s.file)
		}
		s.file.Close()
	}
	g.failed(leg, err)
}

func (g *groups) close() {}

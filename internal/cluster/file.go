package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/text"
)

// A File is nodes as `kubectl get nodes -o json` or `-o yaml` prints them.
type File struct {
	Path  string    // "-" for Stdin
	Stdin io.Reader // read if Path is "-"
}

// Name returns the file's path for messages and reports.
func (f *File) Name() string {
	if f.Path == "-" {
		return "standard input"
	}
	return f.Path
}

// Survey reads the file. What is not a list of nodes is an error of code Failed.
func (f *File) Survey(ctx context.Context, q Query) (*Survey, error) {
	r := f.Stdin
	if f.Path != "-" {
		file, err := os.Open(f.Path)
		if err != nil {
			return nil, exit.Failf("reading %s: %w", f.Path, cause(err)).Hint(fileHint)
		}
		defer file.Close()
		r = file
	}
	// A workload may depend on objects that come behind the nodes.
	var nodes []Node
	t := newTally(q.Filter)
	each := t.add
	if q.Filter.Workload != nil {
		each = func(n *Node) { nodes = append(nodes, *n) }
	}
	record, err := readRecord(r, each)
	if err == nil {
		err = record.empty(q.NodePools)
	}
	if err != nil {
		return nil, f.explain(err)
	}
	warnings, err := t.filter.admit(ctx, record, "default")
	if err != nil {
		return nil, err
	}
	for i := range nodes {
		t.add(&nodes[i])
	}
	for _, w := range warnings {
		t.warn("%s", w)
	}
	if q.NodePools {
		if err := t.addPools(ctx, record); err != nil {
			return nil, err
		}
	}
	return t.survey(f.Name()), nil
}

const fileHint = "write the file with: kubectl get nodes -o json > nodes.json"

func (f *File) explain(err error) error {
	e := exit.Failf("reading %s: %w", f.Name(), cause(err)).Hint(fileHint)
	if at, ok := text.JSONOffset(err, math.MaxInt64); ok && f.Path != "-" {
		if line := lineAt(f.Path, at); line > 0 {
			e.Err = fmt.Errorf("reading %s: line %d: %w", f.Name(), line, cause(err))
			e.At(f.Path, line, 0)
		}
	}
	return e
}

// lineAt returns the line of a byte of a file, or 0.
func lineAt(path string, offset int64) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	line, r := 1, bufio.NewReader(io.LimitReader(f, offset))
	for {
		c, err := r.ReadByte()
		if err != nil {
			return line
		}
		if c == '\n' {
			line++
		}
	}
}

// cause drops the path that package os repeats in its errors.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/text"
)

// A File is nodes as `kubectl get nodes -o json` or `-o yaml` prints them.
type File struct {
	Path  string    // "-" for Stdin
	Stdin io.Reader // read if Path is "-"
}

// Name gives the file's path for messages and reports.
func (f *File) Name() string {
	if f.Path == "-" {
		return "standard input"
	}
	return f.Path
}

// Survey reads the file. What is no list of nodes is an error of code Failed.
func (f *File) Survey(_ context.Context, q Query) (*Survey, error) {
	r := f.Stdin
	if f.Path != "-" {
		file, err := os.Open(f.Path)
		if err != nil {
			return nil, exit.Failf("reading %s: %w", f.Path, cause(err)).Hint("write the file with: kubectl get nodes -o json > nodes.json")
		}
		defer file.Close()
		r = file
	}
	t := newTally(q.Filter)
	if err := readNodes(r, t.add); err != nil {
		e := exit.Failf("reading %s: %w", f.Name(), cause(err)).Hint("write the file with: kubectl get nodes -o json > nodes.json")
		if at, ok := text.JSONOffset(err, math.MaxInt64); ok && f.Path != "-" {
			if line := lineAt(f.Path, at); line > 0 {
				e.Err = fmt.Errorf("reading %s: line %d: %w", f.Name(), line, cause(err))
				e.At(f.Path, line, 0)
			}
		}
		return nil, e
	}
	return t.survey(f.Name()), nil
}

// readNodes reads nodes from JSON or YAML, which may hold several documents.
func readNodes(r io.Reader, each func(*Node)) error {
	b := bufio.NewReader(r)
	start, _ := b.Peek(3)
	switch {
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		return errors.New("it is UTF-16, as PowerShell's > writes it; save it as UTF-8")
	case bytes.Equal(start, []byte{0xef, 0xbb, 0xbf}):
		b.Discard(3)
	}
	first, err := firstByte(b)
	if err != nil {
		return err
	}
	documents := jsonDocuments(b, each)
	if first != '{' && first != '[' {
		documents = yamlDocuments(b, each)
	}
	for n := 0; ; n++ {
		err := documents()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: it is empty", errNotNodes)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("it ends in the middle")
		case err != nil:
			return err
		}
	}
}

// firstByte looks at the first byte that is no white space.
func firstByte(b *bufio.Reader) (byte, error) {
	for {
		c, err := b.ReadByte()
		if errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("%w: it is empty", errNotNodes)
		}
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c, b.UnreadByte()
		}
	}
}

func jsonDocuments(r io.Reader, each func(*Node)) func() error {
	dec := json.NewDecoder(r)
	return func() error {
		_, err := decodeList(dec, each)
		return err
	}
}

func yamlDocuments(r io.Reader, each func(*Node)) func() error {
	dec := yaml.NewDecoder(r)
	return func() error {
		var doc any
		if err := dec.Decode(&doc); err != nil {
			return err
		}
		b, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("%w: %v", errNotNodes, err)
		}
		_, err = decodeList(json.NewDecoder(bytes.NewReader(b)), each)
		return inside(err)
	}
}

// lineAt gives the line of a byte of a file, or 0.
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

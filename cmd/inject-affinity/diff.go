package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/kubeyaml"
)

// A differ writes a unified diff of a file as its chunks come by. The edits
// say what changed, so nothing is compared.
type differ struct {
	w    io.Writer
	name string

	header       bool
	oldAt, newAt int      // lines gone by
	before       []string // the last equal lines, for context
	hunk         []string // lines with their sign; nil outside a hunk
	start        [2]int   // first line of the hunk, old and new
	size         [2]int
	trailing     int // equal lines at the end of the hunk

	held      []byte // of a line that goes on
	heldEdits []kubeyaml.Edit
}

const diffContext = 3

// chunk takes a chunk with its edits. A line that goes on in the next chunk
// waits for it.
func (d *differ) chunk(src []byte, edits []kubeyaml.Edit) error {
	if n := len(d.held); n > 0 {
		src = slices.Concat(d.held, src)
		fresh := d.heldEdits
		for _, e := range edits {
			e.At += n
			fresh = append(fresh, e)
		}
		edits, d.held, d.heldEdits = fresh, nil, nil
	}
	cut, whole := bytes.LastIndexByte(src, '\n')+1, len(edits)
	for whole > 0 && edits[whole-1].At+edits[whole-1].Del >= cut { // it belongs to what is held
		whole--
		cut = min(cut, bytes.LastIndexByte(src[:edits[whole].At], '\n')+1)
	}
	d.held = bytes.Clone(src[cut:])
	for _, e := range edits[whole:] {
		e.At -= cut
		d.heldEdits = append(d.heldEdits, e)
	}
	return d.lines(src[:cut], edits[:whole])
}

// lines takes whole lines with their edits.
func (d *differ) lines(src []byte, edits []kubeyaml.Edit) error {
	at := 0
	for len(edits) > 0 {
		from, to, n := span(src, edits)
		for line := range bytes.Lines(src[at:from]) {
			if err := d.equal(string(line)); err != nil {
				return err
			}
		}
		fresh := slices.Clone(edits[:n])
		for i := range fresh {
			fresh[i].At -= from
		}
		old := kubeyaml.Chunk{Bytes: src[from:to]}
		var now bytes.Buffer
		if err := old.Apply(&now, fresh); err != nil {
			return err
		}
		d.change(lines(old.Bytes), lines(now.Bytes()))
		at, edits = to, edits[n:]
	}
	for line := range bytes.Lines(src[at:]) {
		if err := d.equal(string(line)); err != nil {
			return err
		}
	}
	return nil
}

// span returns the lines that the first edit touches, and those edits that
// touch them too.
func span(src []byte, edits []kubeyaml.Edit) (from, to, n int) {
	from = bytes.LastIndexByte(src[:edits[0].At], '\n') + 1
	to = from
	for _, e := range edits {
		if n > 0 && e.At > to {
			break
		}
		n++
		if e.Del == 0 && strings.HasSuffix(e.Text, "\n") && bytes.LastIndexByte(src[:e.At], '\n')+1 == e.At {
			continue // whole lines before a line
		}
		end := e.At + e.Del
		if i := bytes.IndexByte(src[end:], '\n'); i >= 0 {
			to = max(to, end+i+1)
		} else {
			to = len(src)
		}
	}
	return from, to, n
}

func lines(b []byte) []string {
	var out []string
	for l := range bytes.Lines(b) {
		out = append(out, string(l))
	}
	return out
}

func (d *differ) equal(line string) error {
	d.oldAt++
	d.newAt++
	if d.hunk != nil {
		d.hunk = append(d.hunk, " "+line)
		d.size[0]++
		d.size[1]++
		if d.trailing++; d.trailing > 2*diffContext {
			if err := d.flush(); err != nil {
				return err
			}
		}
		return nil
	}
	if len(d.before) == diffContext {
		d.before = d.before[1:]
	}
	d.before = append(d.before, line)
	return nil
}

func (d *differ) change(old, fresh []string) {
	var same []string // at the end of both
	for len(old) > 0 && len(fresh) > 0 && old[len(old)-1] == fresh[len(fresh)-1] {
		same = append(same, old[len(old)-1])
		old, fresh = old[:len(old)-1], fresh[:len(fresh)-1]
	}
	if d.hunk == nil {
		d.start = [2]int{d.oldAt - len(d.before) + 1, d.newAt - len(d.before) + 1}
		d.size = [2]int{len(d.before), len(d.before)}
		d.hunk = make([]string, 0, 32)
		for _, l := range d.before {
			d.hunk = append(d.hunk, " "+l)
		}
		d.before = nil
	}
	for _, l := range old {
		d.hunk = append(d.hunk, "-"+l)
	}
	for _, l := range fresh {
		d.hunk = append(d.hunk, "+"+l)
	}
	d.size[0] += len(old)
	d.size[1] += len(fresh)
	d.oldAt += len(old)
	d.newAt += len(fresh)
	d.trailing = 0
	for _, l := range slices.Backward(same) {
		d.hunk = append(d.hunk, " "+l)
		d.size[0]++
		d.size[1]++
		d.oldAt++
		d.newAt++
		d.trailing++
	}
}

// flush writes the hunk with as much context after it as before it.
func (d *differ) flush() error {
	if d.hunk == nil {
		return nil
	}
	extra := max(0, d.trailing-diffContext)
	keep := min(diffContext, d.trailing)
	for _, l := range d.hunk[len(d.hunk)-keep:] {
		d.before = append(d.before, l[1:])
	}
	var b strings.Builder
	if !d.header {
		fmt.Fprintf(&b, "--- a/%s\n+++ b/%s\n", d.name, d.name)
		d.header = true
	}
	fmt.Fprintf(&b, "@@ -%s +%s @@\n", extent(d.start[0], d.size[0]-extra), extent(d.start[1], d.size[1]-extra))
	for _, l := range d.hunk[:len(d.hunk)-extra] {
		b.WriteString(l)
		if !strings.HasSuffix(l, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
	d.hunk, d.trailing = nil, 0
	_, err := io.WriteString(d.w, b.String())
	return err
}

// extent writes a line range as diff -u does: an empty one names the line before.
func extent(start, size int) string {
	if size == 0 {
		start--
	}
	if size == 1 {
		return fmt.Sprint(start)
	}
	return fmt.Sprintf("%d,%d", start, size)
}

func (d *differ) end() error {
	held, edits := d.held, d.heldEdits
	d.held, d.heldEdits = nil, nil
	if err := d.lines(held, edits); err != nil {
		return err
	}
	return d.flush()
}

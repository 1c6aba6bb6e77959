package dockerfile

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/polyarch/polyarch/internal/platform"
)

// A Build is what the images that are read depend on.
type Build struct {
	Platform platform.Platform // TARGETPLATFORM
	Builder  platform.Platform // BUILDPLATFORM
	Target   string            // empty: the last stage
	Args     map[string]string // of --build-arg
}

// A Base is an image that a build reads.
type Base struct {
	Ref      string // as users write it, expanded
	Platform platform.Platform
	Line     int    // of the instruction, from 1
	By       string // the instruction: "FROM", "COPY --from", "RUN --mount"
	// Result says that the image is what the target starts from, so that its
	// config becomes the target's.
	Result bool
	// Named says that the Dockerfile names the platform, which is then another's
	// choice than the build's.
	Named bool
}

// Bases returns the images that a build reads, in the order of the stages, and
// a note for each that it cannot name.
func (f *File) Bases(b Build) (bases []Base, notes []string, err error) {
	target := len(f.stages) - 1
	e := f.expander(b)
	if b.Target != "" {
		n, ok := f.stage(b.Target, len(f.stages), true)
		if !ok {
			return nil, nil, fmt.Errorf("it has no stage %s", b.Target)
		}
		target = n
	}
	w := walk{file: f, build: b, expander: e, needed: map[int]bool{}, result: map[int]bool{}}
	w.result[target] = true
	w.need(target)
	// a stage refers to stages before it, but for a COPY that a builder refuses
	for n := len(f.stages) - 1; n >= 0; n-- {
		if w.needed[n] {
			w.base(n)
		}
	}
	for n := range f.stages {
		if w.needed[n] {
			bases = append(bases, w.found[n]...)
		}
	}
	return bases, w.notes, nil
}

// expander returns the arguments that a FROM can use: those of BuildKit, which
// --build-arg may override, then each ARG with the ones before it.
func (f *File) expander(b Build) expander {
	e := expander{shell.NewLex(f.escape), vars{}}
	for n, p := range []platform.Platform{b.Builder, b.Platform} {
		prefix := []string{"BUILD", "TARGET"}[n]
		if p.Arch == "arm" && p.Variant == "" { // as containerd normalises it
			p.Variant = "v7"
		}
		e.vars[prefix+"PLATFORM"], e.vars[prefix+"OS"], e.vars[prefix+"ARCH"], e.vars[prefix+"VARIANT"] = p.String(), p.OS, p.Arch, p.Variant
	}
	e.vars["TARGETSTAGE"] = cmp.Or(b.Target, f.stages[len(f.stages)-1].name, "default")
	for name := range e.vars {
		if v, ok := b.Args[name]; ok {
			e.vars[name] = v
		}
	}
	for _, a := range f.args {
		if v, ok := b.Args[a.name]; ok {
			e.vars[a.name] = v
			continue
		}
		if !a.set {
			continue
		}
		if v, err := e.expand(a.value); err == nil {
			e.vars[a.name] = v
		}
	}
	return e
}

// A walk finds what a target needs.
type walk struct {
	file  *File
	build Build
	expander
	needed map[int]bool
	result map[int]bool // stages that the target is built on
	found  map[int][]Base
	notes  []string
}

// need marks a stage, and those that it copies from.
func (w *walk) need(n int) {
	todo := []int{n}
	for len(todo) > 0 {
		n, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if w.needed[n] {
			continue
		}
		w.needed[n] = true
		s := w.file.stages[n]
		if base, err := w.expand(s.base); err == nil {
			if on, ok := w.file.stage(base, n, false); ok {
				todo = append(todo, on)
			}
		}
		for _, o := range s.from {
			if on, ok := w.file.stage(o.name, len(w.file.stages), true); ok {
				todo = append(todo, on)
			}
		}
	}
}

// base adds the images of a stage.
func (w *walk) base(n int) {
	if w.found == nil {
		w.found = map[int][]Base{}
	}
	s := w.file.stages[n]
	name, err := w.expand(s.base)
	on, isStage := w.file.stage(name, n, false)
	switch {
	case err != nil:
		w.note(s.line, "%v", err)
	case name == "":
		w.note(s.line, "FROM %s is empty without a --build-arg", s.base)
	case isStage:
		w.result[on] = w.result[on] || w.result[n]
	case name != "scratch":
		w.from(n, name)
	}
	for _, o := range s.from {
		_, isStage := w.file.stage(o.name, len(w.file.stages), true)
		switch {
		case isStage || o.name == "" || o.name == "scratch":
		case strings.Contains(o.name, "$"): // some builders expand it, with what the stage has
			w.note(o.line, "%s=%s has a variable", o.by, o.name)
		default:
			w.found[n] = append(w.found[n], Base{Ref: o.name, Platform: w.build.Platform, Line: o.line, By: o.by})
		}
	}
}

// from adds the image of a FROM.
func (w *walk) from(n int, name string) {
	s := w.file.stages[n]
	b := Base{Ref: name, Platform: w.build.Platform, Line: s.line, By: "FROM", Result: w.result[n]}
	if s.platform != "" {
		p, err := w.expand(s.platform)
		if err == nil {
			b.Platform, err = platform.Parse(p)
		}
		if err != nil {
			w.note(s.line, "%v", err)
			return
		}
		b.Named = b.Platform != w.build.Platform
	}
	w.found[n] = append(w.found[n], b)
}

func (w *walk) note(line int, format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf("line %d: "+format, append([]any{line}, args...)...))
}

package output

import (
	"io"

	"github.com/polyarch/polyarch/internal/flagset"
)

// A System is a CI system, or another place that takes results. Its methods
// are called in the order in which they stand here.
type System interface {
	// Register defines the flags that ask for the system.
	Register(*flagset.Set)
	// Wanted returns the flag that asks for the system, --github, or "" if
	// none did. No system is guessed from the environment.
	Wanted() string
	// Check looks at flags and environment before any work is done.
	Check([]Spec, World) error
	// Files returns the files that the system takes, each to be put in place
	// whole. What the system cannot carry is an error: nothing is written yet.
	Files(Report, World) ([]File, error)
	// Deliver hands over what is not a file of its own. The files are in place.
	Deliver(Report, World) error
	// Console says how the system reads what a step prints, or nil if only
	// people read it.
	Console(World) Console
	// Summarizes reports whether the system shows a Report's Summary.
	Summarizes() bool
}

// A Console is a CI system that obeys commands in what a step prints, on
// standard output and standard error alike.
type Console interface {
	// Inert returns lines that no longer hold a command.
	Inert(lines string) string
	// Annotate returns the lines that show a message beside the code, or "".
	Annotate(Message) string
	// Group returns the lines around text that is to be folded under a title.
	// What stands between them was made inert.
	Group(title string) (open, end string)
}

// A Message is a warning or an error.
type Message struct {
	Error        bool // or else a warning
	Title        string
	Text         string // may have several lines
	File         string // in the repository, or ""
	Line, Column int    // from 1; 0 if unknown
}

// A World is what a system sees of the process around it.
type World struct {
	Getenv func(string) string
	Stdout io.Writer
}

// A File is put in place whole, or not at all.
type File struct {
	Path  string
	Bytes []byte
}

// Shipped returns the systems that every program knows, in the order of their
// flags in the help text.
func Shipped() []System { return []System{&tekton{}, &github{}, &gitlab{}} }

// Plain is a System that does nothing; systems embed it for what they do not have.
type Plain struct{}

// Check, Files, Deliver, Console and Summarizes are System's, and do nothing.
func (Plain) Check([]Spec, World) error           { return nil }
func (Plain) Files(Report, World) ([]File, error) { return nil, nil }
func (Plain) Deliver(Report, World) error         { return nil }
func (Plain) Console(World) Console               { return nil }
func (Plain) Summarizes() bool                    { return false }

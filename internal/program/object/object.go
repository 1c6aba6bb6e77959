// Package object reads what a program or library says about itself: the machine
// that it is for, the loader, the libraries, versions and symbols that it needs
// and those that it has, and the processor level that it demands.
//
// It reads bytes that anybody may have written. What cannot be read is noted in
// the result, never guessed.
package object

import (
	"bytes"

	"github.com/polyarch/polyarch/internal/platform"
)

// HeadSize is how much of a file Identify needs, in bytes.
const HeadSize = 1024

// A Kind is what a regular file is, as far as starting it is concerned.
type Kind uint8

const (
	Other  Kind = iota // none of those below
	Binary             // a program or a library: ELF, PE or Mach-O
	Script             // starts with #!
)

// A File is what is known about a regular file.
type File struct {
	Kind    Kind
	Empty   bool    // it has no content
	Machine Machine // of a Binary
	Program bool    // of a Binary: it can be started; a library of ELF can be, too
	Shebang Shebang // of a Script
	ELF     *ELF    // of a Binary in ELF whose content was read
	Levels  Levels  // of a Binary: what it demands of the processor
}

// A Machine is what a program was compiled for.
type Machine struct {
	Format string // "ELF", "PE" or "Mach-O"
	OS     string // empty where the format does not say: an ELF file for Linux
	Arch   string // Go's name, or em123 for an ELF machine without one
	Note   string // "hard float", "x32", … or empty
}

// String returns for example "ELF arm (hard float)" or "Mach-O darwin/arm64".
func (m Machine) String() string {
	s := m.Format + " " + m.Arch
	if m.OS != "" {
		s = m.Format + " " + m.OS + "/" + m.Arch
	}
	if m.Note != "" {
		s += " (" + m.Note + ")"
	}
	return s
}

// AnyArch is the architecture of a program that runs on all: .NET's bytecode.
const AnyArch = "any"

// Fits reports whether a program for m runs on p. Programs that an operating
// system runs on another architecture in a compatible mode fit: 386 on amd64.
// 32-bit arm does not fit arm64, whose server processors mostly cannot run it.
func (m Machine) Fits(p platform.Platform) bool {
	os := m.OS
	if os == "" && p.OS != "windows" && p.OS != "darwin" {
		os = p.OS
	}
	if os != p.OS {
		return false
	}
	switch {
	case m.Arch == AnyArch:
		return true
	case m.Note == noteX32 || m.Note == noteOABI:
		return false // kernels as they are shipped run neither
	case m.Arch == "arm" && p.Arch == "arm" && m.Note == noteHardFloat:
		return p.Variant != "v5"
	case m.Arch == "386" && p.Arch == "amd64":
		return true
	}
	return m.Arch == p.Arch
}

const (
	noteX32       = "x32"
	noteOABI      = "no EABI"
	noteHardFloat = "hard float"
	noteSoftFloat = "soft float"
)

// Identify returns what a regular file is, from its first HeadSize bytes, or
// from all of them if it is shorter.
func Identify(head []byte) File {
	switch {
	case len(head) == 0:
		return File{Empty: true}
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return identifyELF(head)
	case bytes.HasPrefix(head, []byte("MZ")):
		return pe(head)
	case bytes.HasPrefix(head, []byte("#!")):
		return script(head)
	}
	return machO(head)
}

// Read is Identify that reads all of the file that was captured.
func Read(c *Content) File {
	f := Identify(c.Head())
	if f.Kind != Binary {
		return f
	}
	if f.Machine.Format == "ELF" {
		f.ELF = readELF(c, f.Machine)
	}
	f.Levels.readGo(c, f.Machine)
	if f.ELF != nil {
		f.Levels.readELF(c, f.ELF, f.Machine)
	}
	return f
}

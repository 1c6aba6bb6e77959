package object

import (
	"bytes"
	"strings"
)

// A Shebang is the first line of a script, as Linux's binfmt_script reads it.
type Shebang struct {
	Interpreter string // what the kernel opens, "\r" at its end included
	Argument    string // all that follows, blanks inside it included
	HasArgument bool
}

// shebangSize is BINPRM_BUF_SIZE of linux/binfmts.h.
const shebangSize = 256

// script reads the first line as the kernel's load_script does. If the kernel
// refuses the line, the file is not a script.
func script(h []byte) File {
	cut := len(h) >= shebangSize
	line := h[2:min(len(h), shebangSize)]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	} else {
		if cut {
			line = line[:shebangSize-3] // the kernel writes a zero over the last byte
		}
		// The name must end before the buffer does, or it may be cut.
		name := bytes.TrimLeft(line, " \t")
		if len(name) == 0 || cut && !bytes.ContainsAny(name, " \t\x00") {
			return File{}
		}
	}
	if end := bytes.IndexByte(line, 0); end >= 0 {
		line = line[:end]
	}
	text := strings.Trim(string(line), " \t")
	if text == "" {
		return File{}
	}
	s := Shebang{Interpreter: text}
	if at := strings.IndexAny(text, " \t"); at >= 0 {
		s.Interpreter, s.Argument = text[:at], strings.TrimLeft(text[at:], " \t")
		s.HasArgument = s.Argument != ""
	}
	return File{Kind: Script, Shebang: s}
}

package program

import (
	"fmt"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// A Level is the processor that a start demands, where that is more than any
// of the architecture.
type Level struct {
	Variant string // "v3" of amd64
	Path    string // of the file that demands most
	From    string // what says so: "GOAMD64=v3", "GNU_PROPERTY_X86_ISA_1_NEEDED"
}

// Demands returns the platform variant that the programs of a report, and what
// they load, need at least. It is empty where nothing needs more than the first
// level, or nothing says so.
func (r Report) Demands(p platform.Platform) (l Level) {
	most := 1
	look := func(f rootfs.Found) {
		if p.Arch == "amd64" && f.File.Levels.AMD64 > most {
			most = f.File.Levels.AMD64
			l = Level{fmt.Sprintf("v%d", most), "/" + f.Path, f.File.Levels.From}
		}
	}
	for _, program := range r.Programs {
		look(program.Found)
		for _, f := range program.Loads {
			look(f)
		}
	}
	return l
}

// Exceeds reports whether the level is more than a platform says.
func (l Level) Exceeds(p platform.Platform) bool {
	return l.Variant > max(p.Variant, "v1")
}

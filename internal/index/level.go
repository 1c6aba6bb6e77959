package index

import (
	"fmt"

	"github.com/polyarch/polyarch/internal/exit"
)

// A Microarchitecture says what to do with an image that needs a newer
// processor than its platform says: linux/amd64 that needs x86-64-v3.
type Microarchitecture string

const (
	// MicroarchitectureWarn says so.
	MicroarchitectureWarn Microarchitecture = "warn"
	// MicroarchitectureRefuse refuses the image.
	MicroarchitectureRefuse Microarchitecture = "refuse"
	// MicroarchitectureDeclare has the index say what the image needs.
	MicroarchitectureDeclare Microarchitecture = "declare"
)

// levels compares what verified images need with what they say. It reports
// whether any of them is now for another platform.
func (m Microarchitecture) levels(children []*child) (changed bool, err error) {
	for _, c := range children {
		v := c.Verification
		if v == nil || v.Leveled || !v.Level.Exceeds(c.Platform) {
			continue
		}
		v.Leveled = true
		said := fmt.Sprintf("%s needs %s/%s by its %s, and the image says that it is for %s", v.Level.Path, c.Platform.Arch, v.Level.Variant, v.Level.From, c.Platform)
		switch m {
		case MicroarchitectureRefuse:
			return false, exit.Failf("verifying %s: %s", c.Source.Ref, said).
				Hint("build it for every processor of the architecture: GOAMD64=v1, -march=x86-64, a base image that asks for no more").
				Hint("--microarchitecture declare has the index say what it needs")
		case MicroarchitectureDeclare:
			c.Platform.Variant = v.Level.Variant
			p := *c.Descriptor.Platform
			p.Variant = v.Level.Variant
			c.Descriptor.Platform = &p
			v.Declared, changed = true, true
		default:
			v.Notes = append(v.Notes, said+": nodes with older processors cannot run it")
		}
	}
	return changed, nil
}

package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/program"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// A Mode says how much of each image is looked into for programs that cannot
// run on its platform.
type Mode string

const (
	// Entrypoint looks at what the image starts and what that needs.
	Entrypoint Mode = "entrypoint"
	// All looks at every program and library of the image as well.
	All Mode = "all"
	// Strict is Entrypoint, and refuses what was not proved as well: images that a
	// stranger may have made so that they cannot be verified.
	Strict Mode = "strict"
	// Off trusts the image; a declared platform is trusted without
	// reading the image's config.
	Off Mode = "off"
)

// A Verification is what was found in an image.
type Verification struct {
	Verdict  program.Verdict
	Programs []Program     // those that the image starts
	Wrong    []string      // why the image is refused; each a sentence
	Notes    []string      // why it was not verified, and what is worth knowing; each a clause
	Level    program.Level // what it demands of the processor
	Declared bool          // the index says so
	Read     int64         // bytes of layers that were asked for to verify it, beyond those that were copied

	Leveled bool // its level was compared with the platform
}

// Proved reports whether it was proved that the image starts.
func (v *Verification) Proved() bool { return v.Verdict == program.Starts }

// A Program is a program that an image starts.
type Program struct {
	Path  string   `json:"path"`
	Layer v1.Hash  `json:"layer"`
	For   string   `json:"for"` // "ELF arm64"
	Via   []string `json:"via,omitempty"`
	Loads []string `json:"loads,omitempty"` // the loader and the libraries, by their paths
}

const (
	// aheadLayers are asked for at once below the top one, unless the store is
	// near: then one is.
	aheadLayers = 4
	// maxEntrypointBytes bounds how much of an image is read to find what it
	// starts and what that needs.
	maxEntrypointBytes = 1 << 30
)

// A Subject is an image to verify. The verifier does not know where its layers
// come from.
type Subject struct {
	Ref    string                                                      // for messages
	Layers []v1.Descriptor                                             // the base image's first
	Config func(context.Context) (*image.Config, error)                // waits until it has been read
	Open   func(context.Context, v1.Descriptor) (io.ReadCloser, error) // reads a layer from its start
	Near   bool                                                        // reading ahead costs more than it saves
}

// Inspect verifies an image, from its top layer down. It asks for the first
// layers while the config is being read.
func (v *Verifier) Inspect(ctx context.Context, of Subject) (*Verification, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	layers := slices.Clone(of.Layers)
	slices.Reverse(layers)
	ahead := v.openAhead(ctx, of, layers)
	defer func() { cancel(); ahead.close() }()
	c, err := of.Config(ctx)
	if err != nil {
		return nil, err
	}
	start := program.Start{Entrypoint: c.Config.Entrypoint, Cmd: c.Config.Cmd, Env: c.Config.Env, WorkingDir: c.Config.WorkingDir, User: c.Config.User, Windows: c.OS == "windows"}
	p, err := platform.FromConfig(c.OS, c.Architecture, c.Variant)
	if err != nil {
		return nil, exit.Failf("reading %s: its config: %w", of.Ref, err)
	}
	view := rootfs.NewView(len(layers), start.Windows)
	out := &Verification{}
	report, final := program.Check(view, start, p)
	stopped := ""
	var taken int64
	for n := 0; n < len(layers) && (!final || v.Mode == All); n++ {
		if taken > maxEntrypointBytes && v.Mode != All {
			stopped = fmt.Sprintf("what it starts, or needs to start, is not in the %d MiB on top", maxEntrypointBytes>>20)
			break
		}
		l, read, err := v.layer(ctx, layers[n], func() (io.ReadCloser, error) { return ahead.next(n) })
		var unreadable *rootfs.Unreadable
		switch {
		case errors.As(err, &unreadable):
			stopped = fmt.Sprintf("layer %d cannot be read: %s", len(layers)-n, unreadable.Why)
		case err != nil && !layers[n].MediaType.IsDistributable():
			stopped = fmt.Sprintf("layer %d is not in the registry", len(layers)-n)
		case err != nil:
			return nil, inLayer(of.Ref, layers[n], err)
		}
		if stopped != "" {
			break
		}
		out.Read += read
		taken += layers[n].Size
		view.Push(l)
		report, final = program.Check(view, start, p)
	}
	if !final {
		report = program.Report{Verdict: program.NotVerified, Reasons: []string{stopped}}
	}
	out.take(report, func(f program.Program) Program {
		one := Program{Path: "/" + f.Path, Layer: layers[f.Layer].Digest, For: f.File.Machine.String(), Via: f.Via}
		for _, l := range f.Loads {
			if l.Path != f.Path {
				one.Loads = append(one.Loads, "/"+l.Path)
			}
		}
		return one
	})
	out.Level = report.Demands(p)
	if v.Mode == All {
		switch {
		case stopped == "":
			out.all(view, p)
		case final: // else the verdict says so
			out.Notes = append(out.Notes, "not everything was looked at: "+stopped)
		}
	}
	if v.Mode == Strict && report.Verdict == program.NotVerified {
		out.Wrong = append(out.Wrong, "it was not proved that it starts: "+strings.Join(report.Reasons, "; "))
	}
	return out, nil
}

// take takes over the verdict on what the image starts.
func (v *Verification) take(r program.Report, describe func(program.Program) Program) {
	v.Verdict = r.Verdict
	known := map[string]bool{}
	for _, p := range r.Programs {
		if !known[p.Path] {
			known[p.Path] = true
			v.Programs = append(v.Programs, describe(p))
		}
	}
	if r.Verdict == program.Wrong {
		v.Wrong = r.Reasons
	} else {
		v.Notes = append(v.Notes, r.Reasons...)
	}
	v.Notes = append(v.Notes, r.Notes...)
}

// all adds the files that the image may load later.
func (v *Verification) all(view *rootfs.View, p platform.Platform) {
	refused, notes := program.All(view, p)
	v.Wrong = append(v.Wrong, refused...)
	v.Notes = append(v.Notes, notes...)
	if len(refused) > 0 {
		v.Verdict = program.Wrong
	}
}

func inLayer(ref string, layer v1.Descriptor, err error) error {
	var known *exit.Error
	if errors.As(err, &known) {
		return err
	}
	return exit.Failf("verifying %s: layer %s: %w", ref, layer.Digest, err).Hint("--verify-binaries off does not look into layers")
}

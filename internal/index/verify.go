package index

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
)

// A Verify says how much of each image is looked into for programs of another
// platform.
type Verify string

const (
	// VerifyEntrypoint looks at the program that the image starts.
	VerifyEntrypoint Verify = "entrypoint"
	// VerifyAll looks at the programs in the folders of PATH as well.
	VerifyAll Verify = "all"
	// VerifyOff trusts the image; a declared platform is trusted without
	// reading the image's config.
	VerifyOff Verify = "off"
)

// A Verification is what was found in an image.
type Verification struct {
	Programs []Program // those that were found and fit
	Misfits  []Program
	Notes    []string // why something was not verified; each a clause
}

// A Program is a program in an image.
type Program struct {
	Path   string   `json:"path"`
	Layer  v1.Hash  `json:"layer"`
	Number int      `json:"-"`   // of the layer, from 1, the base image's first
	For    string   `json:"for"` // "ELF arm64"
	Via    []string `json:"via,omitempty"`
}

const (
	// aheadLayers are asked for at once, so that a small one on top costs no
	// round trip of its own.
	aheadLayers = 4
	// maxEntrypointBytes bounds how much of an image is read to find what it
	// starts: an image may have gigabytes above its interpreter.
	maxEntrypointBytes = 512 << 20
)

// A subject is an image to verify. Where its layers come from is no business
// of the verifier's: they may pass by on their way to the target.
type subject struct {
	ref    string                                                      // for messages
	layers []v1.Descriptor                                             // the base image's first
	config func(context.Context) (*image.Config, error)                // waits until it has been read
	open   func(context.Context, v1.Descriptor) (io.ReadCloser, error) // reads a layer from its start
}

// inspect looks for programs in an image's layers, from the top one down. It
// asks for the first of them while the config is being read.
func (verify Verify) inspect(ctx context.Context, of subject) (*Verification, error) {
	ctx, cancel := context.WithCancel(ctx)
	layers := slices.Clone(of.layers)
	slices.Reverse(layers)
	ahead := openAhead(ctx, of, layers)
	defer func() { cancel(); ahead.close() }()
	c, err := of.config(ctx)
	if err != nil {
		return nil, err
	}
	start := program.Start{Entrypoint: c.Config.Entrypoint, Cmd: c.Config.Cmd, Env: c.Config.Env, WorkingDir: c.Config.WorkingDir, Windows: c.OS == "windows"}
	p, err := platform.FromConfig(c.OS, c.Architecture, c.Variant)
	if err != nil {
		return nil, exit.Failf("reading %s: its config: %w", of.ref, err)
	}
	tree := program.NewTree(len(layers), start.Windows)
	v := &Verification{}
	found, settled := tree.Start(start)
	var read int64
	for n := 0; n < len(layers) && (!settled || verify == VerifyAll); n++ {
		if read > maxEntrypointBytes && verify != VerifyAll {
			v.Notes = append(v.Notes, fmt.Sprintf("what it starts is not in the %d MiB on top", maxEntrypointBytes>>20))
			break
		}
		r, err := ahead.next(n)
		if err == nil {
			counted := &counter{r: r}
			tree.Begin()
			err = program.Scan(counted, func(e program.Entry) bool {
				tree.Add(e)
				if verify == VerifyAll || !e.File.Executable() {
					return true
				}
				found, settled = tree.Start(start)
				return !settled
			})
			read += counted.n
		}
		if err != nil && !layers[n].MediaType.IsDistributable() {
			v.Notes = append(v.Notes, fmt.Sprintf("layer %d is not in the registry", len(layers)-n))
			break
		}
		if err != nil {
			return nil, inLayer(of.ref, layers[n], err)
		}
		if !settled || verify == VerifyAll {
			tree.End()
			found, settled = tree.Start(start)
		}
	}
	v.Notes = append(v.Notes, found.Notes...)
	v.judge(p, found.Programs, tree.InPath(start), verify, func(f program.Found) Program {
		return Program{Path: "/" + f.Path, Layer: layers[f.Layer].Digest, Number: len(layers) - f.Layer, For: f.File.Machine.String(), Via: f.Via}
	})
	return v, nil
}

// judge sorts programs by whether they fit. One that the image does not start
// by itself is a reason to refuse the image only if asked for.
func (v *Verification) judge(p platform.Platform, started, inPath []program.Found, verify Verify, describe func(program.Found) Program) {
	known := map[string]bool{}
	for _, f := range started {
		if known[f.Path] {
			continue
		}
		known[f.Path] = true
		if f.File.Machine.Fits(p) {
			v.Programs = append(v.Programs, describe(f))
		} else {
			v.Misfits = append(v.Misfits, describe(f))
		}
	}
	for _, f := range inPath {
		switch {
		case known[f.Path] || f.File.Machine.Fits(p):
		case verify == VerifyAll:
			v.Misfits = append(v.Misfits, describe(f))
		default:
			v.Notes = append(v.Notes, fmt.Sprintf("/%s is %s, though nothing shows that it is started", f.Path, f.File.Machine))
		}
	}
}

func inLayer(ref string, layer v1.Descriptor, err error) error {
	var known *exit.Error
	if errors.As(err, &known) {
		return err
	}
	return exit.Failf("verifying %s: layer %s: %w", ref, layer.Digest, err).Hint("--verify-binaries off does not look into layers")
}

// misfits refuses images with programs of another platform.
func misfits(children []*child) error {
	var e *exit.Error
	for _, c := range children {
		if c.Verification == nil {
			continue
		}
		for _, p := range c.Verification.Misfits {
			said := fmt.Sprintf("verifying %s: %s is %s, and the image says that it is for %s", c.Source.Ref, p.Path, p.For, c.Platform)
			if len(p.Via) > 0 {
				said += fmt.Sprintf(" (started by %s)", strings.Join(p.Via, ", "))
			}
			said += fmt.Sprintf("; it is in layer %d of %d, %s", p.Number, len(c.Layers), p.Layer)
			if e == nil {
				e = exit.Failf("%s", said)
				continue
			}
			e.Hint("%s", said)
		}
	}
	if e == nil {
		return nil
	}
	return e.Hint("compile for the target: in a Dockerfile, GOOS=$TARGETOS GOARCH=$TARGETARCH, and base images of the target's platform").
		Hint("--verify-binaries off lets it pass")
}

// ahead opens layers before they are read.
type ahead struct {
	open func(int) (io.ReadCloser, error)
	ch   []chan opened
	last int
}

type opened struct {
	r   io.ReadCloser
	err error
}

func openAhead(ctx context.Context, of subject, layers []v1.Descriptor) *ahead {
	a := &ahead{ch: make([]chan opened, len(layers))}
	a.open = func(n int) (io.ReadCloser, error) { return of.open(ctx, layers[n]) }
	for n := range min(aheadLayers, len(layers)) {
		a.start(n)
	}
	return a
}

func (a *ahead) start(n int) {
	a.ch[n] = make(chan opened, 1)
	a.last = n
	go func() {
		r, err := a.open(n)
		a.ch[n] <- opened{r, err}
	}()
}

// next returns layer n, and asks for a later one.
func (a *ahead) next(n int) (io.Reader, error) {
	if a.last+1 < len(a.ch) {
		a.start(a.last + 1)
	}
	o := <-a.ch[n]
	a.ch[n] <- o // for close
	return o.r, o.err
}

// close drops all that was opened; the requests must have been cancelled.
func (a *ahead) close() {
	for _, ch := range a.ch {
		if ch != nil {
			if o := <-ch; o.r != nil {
				o.r.Close()
			}
		}
	}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

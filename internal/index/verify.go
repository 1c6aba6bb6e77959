package index

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/verify"
)

// rest verifies the images whose layers were copied: nothing names them yet.
func rest(ctx context.Context, v *verify.Verifier, children []*child) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range children {
		if c.found != nil && c.found.unverified != nil {
			g.Go(func() (err error) {
				c.Verification, err = v.Inspect(ctx, *c.found.unverified)
				return err
			})
		}
	}
	return g.Wait()
}

// fit returns the images without those that may be missing and whose programs
// cannot run on their platform. It refuses others.
func fit(children []*child, g *gaps) ([]*child, error) {
	var all []*child
	for _, c := range children {
		if v := c.Verification; v != nil && len(v.Wrong) > 0 && c.Source.Optional && c.Source.Platform != nil && !c.kept {
			g.add(c.Source, v.Wrong[0])
			continue
		}
		all = append(all, c)
	}
	return all, unfit(all)
}

// unfit refuses images whose programs cannot run on their platform.
func unfit(children []*child) error {
	var e *exit.Error
	for _, c := range children {
		if c.Verification == nil {
			continue
		}
		for _, why := range c.Verification.Wrong {
			said := fmt.Sprintf("verifying %s for %s: %s", c.Source.Ref, c.Platform, why)
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
	if strings.Contains(e.Error(), "the image says that it is for") {
		e.Hint("compile for the target: in a Dockerfile, GOOS=$TARGETOS GOARCH=$TARGETARCH, and base images of the target's platform")
	}
	if strings.Contains(e.Error(), "it was not proved that it starts") {
		return e.Hint("--verify-binaries entrypoint lets pass what cannot be verified")
	}
	return e.Hint("--verify-binaries off lets it pass")
}

package main

import (
	"context"
	"io"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/kubeyaml"
)

// learn takes the kinds of --crds.
func (c *config) learn(ctx context.Context, kinds *kubeyaml.Kinds, stdin io.Reader) error {
	if c.crds == "" {
		return nil
	}
	name, r := standardInput, stdin
	if c.crds != "-" {
		f, err := openFile(ctx, c.crds)
		if err != nil {
			return err
		}
		defer f.Close()
		name, r = c.crds, f
	}
	type result struct {
		kinds   kubeyaml.Kinds
		learned int
	}
	k := *kinds
	got, err := await(ctx, func() (result, error) {
		n, err := k.Learn(r)
		return result{k, n}, err
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return exit.Failf("reading %s: %w", name, err)
	case err != nil:
		return exit.InFile(name, err)
	case got.learned == 0:
		return exit.Failf("reading %s: there is no CustomResourceDefinition with a PodSpec in it", name).
			Hint("kubectl get crds -o json prints those of a cluster")
	}
	*kinds = got.kinds
	return nil
}

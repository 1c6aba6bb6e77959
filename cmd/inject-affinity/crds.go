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
		err     error
	}
	done := make(chan result, 1)
	k := *kinds
	go func() {
		n, err := k.Learn(r)
		done <- result{k, n, err}
	}()
	select {
	case got := <-done:
		if got.err != nil {
			return exit.InFile(name, got.err)
		}
		if got.learned == 0 {
			return exit.Failf("reading %s: there is no CustomResourceDefinition with a PodSpec in it", name).
				Hint("kubectl get crds -o json prints those of a cluster")
		}
		*kinds = got.kinds
		return nil
	case <-ctx.Done():
		return exit.Failf("reading %s: %w", name, context.Cause(ctx))
	}
}

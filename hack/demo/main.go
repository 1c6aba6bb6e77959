// Command demo runs polyarch's main workflow, from source to pinned manifests,
// on this machine alone, with a recorded cluster, a registry in this process
// and Go's own cross-compiler. It prints each command line before it runs it.
//
//	demo [--out FOLDER] [--listen ADDRESS]   the whole flow
//	demo build                               the build command, for stitch-index
//	demo registry [--listen ADDRESS]         the registry alone, until stopped
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "demo: error:", err)
		}
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	verb := ""
	if len(args) > 0 && args[0][0] != '-' {
		verb, args = args[0], args[1:]
	}
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	listen := fs.String("listen", "127.0.0.1:5577", "where the registry listens")
	out := fs.String("out", "demo", "the folder that is left behind")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch verb {
	case "":
		return flow(ctx, *listen, *out)
	case "build":
		return build(os.Getenv)
	case "registry":
		r, err := startRegistry(*listen)
		if err != nil {
			return err
		}
		defer r.stop()
		fmt.Printf("a registry listens on %s and forgets everything when it stops\n", r.address)
		<-ctx.Done()
		return nil
	}
	return fmt.Errorf("there is no %q; there are build and registry", verb)
}

package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/platform"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"stitch-index": func() { os.Exit(command.Main(program())) },
		"make-image":   makeImage,
		"buildah":      fakeBuildah,
	})
}

// Each script has a registry of its own at $REGISTRY. The command
//
//	image REF PLATFORM [docker] [program=ARCH] [text=TEXT] [digest=NAME]
//
// pushes an image there that starts /app, a program for ARCH or a script, and
// sets the variable NAME to its digest.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
			env.Defer(server.Close)
			env.Setenv("REGISTRY", strings.TrimPrefix(server.URL, "http://"))
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"image": pushImage},
	})
}

func pushImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: image REF PLATFORM [docker] [program=ARCH] [text=TEXT] [digest=NAME]")
	}
	spec, digest := imagetest.Spec{Platform: args[1], Entrypoint: []string{"/app"}}, ""
	text, arch := "text", "amd64"
	if p, err := platform.Parse(args[1]); err == nil {
		arch = p.Arch
	}
	for _, a := range args[2:] {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "docker":
			spec.Docker = true
		case "program":
			arch = value
		case "text":
			text = value
		case "digest":
			digest = value
		default:
			ts.Fatalf("unknown word %q", a)
		}
	}
	app := "#!/bin/sh\n"
	if arch != "script" {
		app = imagetest.ELF(arch, 0x05000000)
	}
	spec.Layers = [][]imagetest.File{imagetest.Files(map[string]string{"etc/a.txt": text}), imagetest.Files(map[string]string{"app": app})}
	d, err := spec.Push(args[0])
	ts.Check(err)
	if digest != "" {
		ts.Setenv(digest, d.String())
	}
}

package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/imagetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"stitch-index": func() { os.Exit(command.Main(program())) },
		"make-image":   makeImage,
		"buildah":      fakeBuildah,
		"ko":           fakeKo,
	})
}

// Each script has a registry of its own at $REGISTRY. The command
//
//	image REF PLATFORM [docker] [zstd] [program=ARCH[+SETTING]|script|none] [text=TEXT] [digest=NAME]
//
// pushes an image there that starts /app, a program for ARCH or a script, and
// sets the variable NAME to its digest. The command
//
//	index REF PLATFORM…
//
// pushes an index of such images, each with an attestation. Another registry
// is at $OTHER. The command
//
//	damage FOLDER
//
// shortens the config of the first image of the index in a layout, and
//
//	expand FILE…
//
// puts the values of $REGISTRY and $OTHER into files.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"REGISTRY", "OTHER"} {
				server := httptest.NewServer(imagetest.NewRegistry())
				env.Defer(server.Close)
				env.Setenv(name, strings.TrimPrefix(server.URL, "http://"))
			}
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"image": pushImage, "index": pushIndex, "damage": damage, "annotation": annotation, "expand": expand},
	})
}

func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: expand FILE…")
	}
	for _, a := range args {
		text := strings.NewReplacer("$REGISTRY", ts.Getenv("REGISTRY"), "$OTHER", ts.Getenv("OTHER")).Replace(ts.ReadFile(a))
		ts.Check(os.WriteFile(ts.MkAbs(a), []byte(text), 0o644))
	}
}

func pushImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: image REF PLATFORM [docker] [zstd] [program=ARCH] [text=TEXT] [digest=NAME]")
	}
	docker, zstd, arch, text, digest := false, false, imagetest.Arch(args[1]), "text", ""
	for _, a := range args[2:] {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "docker":
			docker = true
		case "zstd":
			zstd = true
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
	starts := arch != "none"
	if !starts {
		arch = "script"
	}
	spec := imagetest.App(args[1], arch, text)
	if !starts {
		spec.Entrypoint = nil
	}
	spec.Docker = docker
	if zstd {
		spec.Compress, spec.LayerType = imagetest.Zstd, types.OCILayerZStd
	}
	d, err := spec.Push(args[0])
	ts.Check(err)
	if digest != "" {
		ts.Setenv(digest, d.String())
	}
}

func pushIndex(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: index REF PLATFORM…")
	}
	var specs []imagetest.Spec
	for _, p := range args[1:] {
		specs = append(specs, imagetest.App(p, imagetest.Arch(p), "text"))
	}
	_, err := imagetest.PushIndex(args[0], specs...)
	ts.Check(err)
}

// annotation REF KEY VALUE checks an annotation of an index.
func annotation(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: annotation REF KEY VALUE")
	}
	ref, err := name.ParseReference(args[0], name.Insecure)
	ts.Check(err)
	index, err := remote.Index(ref)
	ts.Check(err)
	doc, err := index.IndexManifest()
	ts.Check(err)
	if got := doc.Annotations[args[1]]; got != args[2] {
		ts.Fatalf("the annotation %s is %q", args[1], got)
	}
}

func damage(ts *testscript.TestScript, _ bool, args []string) {
	l, err := layout.FromPath(ts.MkAbs(args[0]))
	ts.Check(err)
	top, err := l.ImageIndex()
	ts.Check(err)
	tops, err := top.IndexManifest()
	ts.Check(err)
	index, err := top.ImageIndex(tops.Manifests[0].Digest)
	ts.Check(err)
	doc, err := index.IndexManifest()
	ts.Check(err)
	img, err := index.Image(doc.Manifests[0].Digest)
	ts.Check(err)
	config, err := img.ConfigName()
	ts.Check(err)
	ts.Check(os.Truncate(filepath.Join(ts.MkAbs(args[0]), "blobs", config.Algorithm, config.Hex), 10))
}

package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/polyarch/polyarch/internal/imagetest"
)

// makeImage is a build tool: make-image [PLATFORM] pushes an image to $IMAGE,
// or writes it to $OCI_LAYOUT if LAYOUT is set.
func makeImage() {
	p := os.Getenv("PLATFORM")
	if len(os.Args) > 1 {
		p = os.Args[1]
	}
	spec := imageFor(p)
	check(func() error {
		if os.Getenv("LAYOUT") == "" {
			_, err := spec.Push(os.Getenv("IMAGE"))
			return err
		}
		image, err := spec.Build()
		if err != nil {
			return err
		}
		to, err := layout.Write(os.Getenv("OCI_LAYOUT"), empty.Index)
		if err != nil {
			return err
		}
		return to.AppendImage(image)
	}())
}

func imageFor(platform string) imagetest.Spec {
	return imagetest.Spec{Platform: platform, Layers: [][]imagetest.File{imagetest.Files(map[string]string{"app.txt": platform})}}
}

// fakeBuildah stands for buildah: its build keeps the platform under $HOME,
// its push pushes an image of it. A file linux_arm64.fails in the context
// makes the build for that platform print it and fail; FAKE_DIGEST is what
// push reports instead of the truth.
func fakeBuildah() {
	args := os.Args[2:]
	last := args[len(args)-1]
	value := func(flag string) string {
		for i, a := range args[:len(args)-1] {
			if a == flag {
				return args[i+1]
			}
		}
		return ""
	}
	kept := func(ref string) string {
		return filepath.Join(os.Getenv("HOME"), "kept-"+ref[strings.LastIndexByte(ref, ':')+1:])
	}
	switch os.Args[1] {
	case "build":
		fmt.Println("building with", strings.Join(args, " "))
		p := value("--platform")
		if text, err := os.ReadFile(filepath.Join(last, strings.ReplaceAll(p, "/", "_")+".fails")); err == nil {
			os.Stderr.Write(text)
			os.Exit(125)
		}
		check(os.WriteFile(kept(value("--tag")), []byte(p), 0o644))
	case "push":
		ref := strings.TrimPrefix(last, "docker://")
		p, err := os.ReadFile(kept(ref))
		check(err)
		digest, err := imageFor(string(p)).Push(ref)
		check(err)
		said := digest.String()
		if fake := os.Getenv("FAKE_DIGEST"); fake != "" {
			said = fake
		}
		check(os.WriteFile(value("--digestfile"), []byte(said), 0o644))
	}
}

// fakeKo stands for ko: it pushes an index of all platforms that it was asked
// for, or of those that FAKE_BASE has.
func fakeKo() {
	value := func(flag string) string { return os.Args[slices.Index(os.Args, flag)+1] }
	var specs []imagetest.Spec
	for p := range strings.SplitSeq(value("--platform"), ",") {
		if base := os.Getenv("FAKE_BASE"); base == "" || strings.Contains(base, p) {
			specs = append(specs, imageFor(p))
		}
	}
	digest, err := imagetest.PushIndex(os.Getenv("KO_DOCKER_REPO")+":"+value("--tags"), specs...)
	check(err)
	check(os.WriteFile(value("--image-refs"), []byte(os.Getenv("KO_DOCKER_REPO")+"@"+digest.String()+"\n"), 0o644))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

package builder

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/polyarch/polyarch/internal/exit"
)

// bazel builds --target, the label of an image: a tar as docker save writes it,
// or an OCI layout, as rules_oci makes them. Every platform's is written to the
// same path, so it is put aside before the next build begins.
func bazel() Builder {
	return Builder{
		Name:          "bazel",
		Program:       "bazel",
		Remedy:        "install Bazel or Bazelisk",
		secretsByName: true,
		Options:       []Option{Target, Secret, PlatformTarget},
		Instead:       map[Option]string{Dockerfile: "bazel builds what --target names", BuildArg: "pass bazel's own flags: --builder-arg --define=NAME=VALUE"},
		alone:         func(Host) string { return "Bazel writes every platform's image to the same path" },

		clean: "bazel clean --expunge",
		signs: []sign{{asked, "", func(r Request) string {
			if len(r.PlatformTargets) == 0 || r.Command != nil {
				return ""
			}
			return "--platform-target is given, which only Bazel has"
		}}},
		plan: func(r Request, leg Leg) (Build, error) {
			file, err := outputOf(r.Target)
			if err != nil {
				return Build{}, err
			}
			p := leg.Platforms[0]
			target, ok := r.PlatformTargets[p]
			if !ok {
				return Build{}, exit.Usagef("flag --platform-target: bazel needs a target for %s", p).
					Hint("name the platform's label in this workspace, for example --platform-target %s=//platforms:%s", p, p.Slug())
			}
			links := filepath.Join(leg.Dir, "bazel-")
			argv := []string{"bazel", "build", "--platforms=" + target, "--symlink_prefix=" + links}
			argv = append(argv, r.Args...)
			built, aside := filepath.Join(links+"bin", filepath.FromSlash(file)), filepath.Join(leg.Dir, "layout")
			return Build{
				Steps:   []Step{{Argv: append(argv, r.Target), Dir: r.Context}},
				Collect: func([]string) (Pushed, error) { return putAside(built, aside) },
			}, nil
		},
	}
}

// outputOf returns where a label's file is below bazel-bin.
func outputOf(label string) (string, error) {
	rest, ok := strings.CutPrefix(label, "//")
	if !ok && !strings.HasPrefix(label, ":") || rest == "" && ok {
		return "", exit.Usagef("flag --target: bazel needs the label of an image in this workspace, and %q is none", label).
			Hint("for example --target //app:image.tar")
	}
	if !ok {
		return label[1:], nil
	}
	pkg, name, ok := strings.Cut(rest, ":")
	if !ok {
		name = path.Base(pkg)
	}
	return path.Join(pkg, name), nil
}

// putAside copies an image into a layout of its own.
func putAside(built, aside string) (Pushed, error) {
	info, err := os.Stat(built)
	if err != nil {
		return Pushed{}, fmt.Errorf("the image is not where it should be: %w", err)
	}
	to, err := layout.Write(aside, empty.Index)
	if err != nil {
		return Pushed{}, err
	}
	if !info.IsDir() {
		image, err := tarball.ImageFromPath(built, nil)
		if err != nil {
			return Pushed{}, fmt.Errorf("%s is not an image archive as docker save writes it: %w", filepath.Base(built), err)
		}
		return Pushed{Layout: aside}, to.AppendImage(image)
	}
	index, err := layout.ImageIndexFromPath(built)
	if err != nil {
		return Pushed{}, fmt.Errorf("%s is no OCI layout: %w", filepath.Base(built), err)
	}
	_, err = layout.Write(aside, index)
	return Pushed{Layout: aside}, err
}

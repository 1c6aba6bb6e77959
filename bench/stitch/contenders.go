package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A work is one index to make: source/from@digest… into target/to:tags.
type work struct {
	source, from string
	digests      []v1.Hash
	target, to   string
	tags         []string
}

func (w work) refs() []string {
	var all []string
	for _, d := range w.digests {
		all = append(all, w.source+"/"+w.from+"@"+d.String())
	}
	return all
}

// image returns the index by its nth tag.
func (w work) image(n int) string { return w.target + "/" + w.to + ":" + w.tags[n] }

// A contender is a way to make an index: command lines that run one after
// another.
type contender struct {
	name      string
	program   string
	elsewhere bool // it takes images of another repository and registry
	commands  func(b *benchmark, w work) ([][]string, error)
}

// contenders are ordered as the tables are.
var contenders = []contender{
	{"**stitch-index**", "stitch-index", true, func(b *benchmark, w work) ([][]string, error) {
		return ours(b, w, "entrypoint"), nil
	}},
	{"**stitch-index --verify-binaries off**", "stitch-index", true, func(b *benchmark, w work) ([][]string, error) {
		return ours(b, w, "off"), nil
	}},
	{"*floor*", "floor", true, func(b *benchmark, w work) ([][]string, error) {
		argv := []string{b.programs["floor"], w.source + "/" + w.from, w.target + "/" + w.to, strings.Join(w.tags, ",")}
		for _, d := range w.digests {
			argv = append(argv, d.String())
		}
		return [][]string{argv}, nil
	}},
	{"oras manifest index create", "oras", false, func(b *benchmark, w work) ([][]string, error) {
		argv := []string{b.programs["oras"], "manifest", "index", "create", "--plain-http", w.target + "/" + w.to + ":" + strings.Join(w.tags, ",")}
		for _, d := range w.digests {
			argv = append(argv, d.String())
		}
		return [][]string{argv}, nil
	}},
	{"manifest-tool push", "manifest-tool", false, func(b *benchmark, w work) ([][]string, error) {
		var s strings.Builder
		fmt.Fprintf(&s, "image: %s\n", w.image(0))
		if len(w.tags) > 1 {
			fmt.Fprintf(&s, "tags: [%s]\n", strings.Join(w.tags[1:], ", "))
		}
		s.WriteString("manifests:\n")
		for i := range w.digests {
			p := append(strings.Split(platforms[i], "/"), "")
			fmt.Fprintf(&s, "- {image: %q, platform: {os: %s, architecture: %q, variant: %q}}\n", w.source+"/"+w.from+":"+slug(platforms[i]), p[0], p[1], p[2])
		}
		file := filepath.Join(b.dir, "spec.yaml")
		return [][]string{{b.programs["manifest-tool"], "--plain-http", "push", "--type", "oci", "from-spec", file}}, os.WriteFile(file, []byte(s.String()), 0o644)
	}},
	{"crane index append", "crane", true, func(b *benchmark, w work) ([][]string, error) {
		argv := []string{b.programs["crane"], "index", "append", "-t", w.image(0)}
		for _, r := range w.refs() {
			argv = append(argv, "-m", r)
		}
		all := [][]string{argv}
		for _, tag := range w.tags[1:] {
			all = append(all, []string{b.programs["crane"], "tag", w.image(0), tag})
		}
		return all, nil
	}},
	{"regctl index create", "regctl", true, func(b *benchmark, w work) ([][]string, error) {
		config := fmt.Sprintf(`{"hosts":{%q:{"tls":"disabled"},%q:{"tls":"disabled"}}}`, w.source, w.target)
		argv := []string{b.programs["regctl"], "index", "create", w.image(0)}
		for _, r := range w.refs() {
			argv = append(argv, "--ref", r)
		}
		all := [][]string{argv}
		for n := range w.tags[1:] {
			all = append(all, []string{b.programs["regctl"], "image", "copy", w.image(0), w.image(n + 1)})
		}
		return all, os.WriteFile(filepath.Join(b.dir, "regctl.json"), []byte(config), 0o600)
	}},
	{"buildx imagetools create", "buildx", true, func(b *benchmark, w work) ([][]string, error) {
		argv := []string{b.programs["buildx"], "imagetools", "create", "--progress", "plain"}
		for n := range w.tags {
			argv = append(argv, "-t", w.image(n))
		}
		return [][]string{append(argv, w.refs()...)}, nil
	}},
	{"buildah manifest push --all", "buildah", false, func(b *benchmark, w work) ([][]string, error) {
		store := filepath.Join(b.dir, "buildah")
		base := []string{b.programs["buildah"], "--root", store, "--runroot", store + ".run", "--storage-driver", "vfs"}
		with := func(args ...string) []string { return append(append([]string{}, base...), args...) }
		list := fmt.Sprintf("list-%d", b.next())
		all := [][]string{with("manifest", "create", list)}
		for _, r := range w.refs() {
			all = append(all, with("manifest", "add", "--tls-verify=false", list, "docker://"+r))
		}
		for n := range w.tags {
			all = append(all, with("manifest", "push", "--all", "--tls-verify=false", list, "docker://"+w.image(n)))
		}
		return all, nil
	}},
}

func ours(b *benchmark, w work, verify string) [][]string {
	argv := []string{b.programs["stitch-index"], "--quiet", "--verify-binaries", verify, "--image", w.target + "/" + w.to, "--tag", strings.Join(w.tags, ",")}
	return [][]string{append(argv, w.refs()...)}
}

package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// patches knows the files that kustomizations list as patches, by the folder of
// the kustomization: file → kustomization.
type patches map[string]map[string]string

// A kustomization has the fields that name patches:
// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
type kustomization struct {
	Patches               []patch
	PatchesJSON6902       []patch  `yaml:"patchesJson6902"`
	PatchesStrategicMerge []string `yaml:"patchesStrategicMerge"`
}

// A patch is an entry of patches: a path, or a mapping with one.
type patch struct{ Path string }

func (p *patch) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		p.Path = n.Value
		return nil
	}
	type plain patch
	return n.Decode((*plain)(p))
}

// kustomizations are the names that kustomize looks for.
var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// maxLevels is how many folders up a kustomization is looked for.
const maxLevels = 32

// of returns the kustomization on the way up from a file that lists it as a
// patch, or "".
func (p patches) of(file string) string {
	abs, err := filepath.Abs(file)
	if err != nil {
		return ""
	}
	dir := filepath.Dir(abs)
	for range maxLevels {
		if k := p.in(dir)[abs]; k != "" {
			return displayed(file, abs, k)
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return ""
}

// displayed writes the path of a kustomization as the user wrote the file's.
func displayed(file, abs, kustomization string) string {
	if filepath.IsAbs(file) {
		return kustomization
	}
	if rel, err := filepath.Rel(strings.TrimSuffix(abs, filepath.Clean(file)), kustomization); err == nil {
		return rel
	}
	return kustomization
}

// in returns the patches that the kustomization in a folder lists. One that
// cannot be read lists none: kustomize would say so.
func (p patches) in(dir string) map[string]string {
	if known, ok := p[dir]; ok {
		return known
	}
	var found map[string]string
	defer func() { p[dir] = found }()
	for _, name := range kustomizations {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		var k kustomization
		err = yaml.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&k)
		f.Close()
		if err != nil {
			continue
		}
		listed := slices.Clone(k.PatchesStrategicMerge)
		for _, patch := range slices.Concat(k.Patches, k.PatchesJSON6902) {
			listed = append(listed, patch.Path)
		}
		for _, file := range listed {
			if file != "" && !strings.Contains(file, "\n") { // else the patch itself
				found[filepath.Join(dir, filepath.FromSlash(file))] = path
			}
		}
	}
	return found
}

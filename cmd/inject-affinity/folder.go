package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

// A folder is what it holds of manifests.
type folder struct {
	root  *os.Root
	files []string // from the folder on, sorted
	left  []note   // links that lead out of it, pipes and devices
}

var manifestSuffixes = []string{".yaml", ".yml", ".json"}

// folder looks for the files that may be manifests.
func (c *config) folder(dir string) (folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return folder{}, exit.Failf("reading %s: %w", dir, cause(err))
	}
	f := folder{root: root}
	excluded := 0
	links := map[string]bool{}
	err = fs.WalkDir(root.FS(), ".", func(rel string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if rel != "." && c.excluded(dir, rel) {
			excluded++
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			if rel != "." && (!c.recursive || strings.HasPrefix(d.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains(manifestSuffixes, strings.ToLower(path.Ext(rel))) {
			return nil
		}
		info, err := root.Stat(rel) // follows links as long as they stay inside
		rel = filepath.FromSlash(rel)
		switch {
		case err != nil && d.Type()&fs.ModeSymlink != 0:
			f.left = append(f.left, note{File: filepath.Join(dir, rel), Text: "it is a link that leads out of the folder, or nowhere"})
		case err != nil:
			return err
		case info.IsDir():
		case !info.Mode().IsRegular():
			f.left = append(f.left, note{File: filepath.Join(dir, rel), Text: "it is not a regular file"})
		default:
			f.files = append(f.files, rel)
			if d.Type()&fs.ModeSymlink != 0 {
				links[rel] = true
			}
		}
		return nil
	})
	f.files = once(dir, f.files, links)
	if err != nil {
		return folder{}, exit.Failf("reading %s: %w", dir, err)
	}
	if len(f.files) == 0 && len(f.left) == 0 && excluded == 0 {
		e := exit.Failf("reading manifests: the folder %s has no .yaml, .yml or .json file", dir)
		if !c.recursive {
			e.Hint("add --recursive to look into its folders")
		}
		return folder{}, e
	}
	return f, nil
}

// once drops the links to files that are there by themselves, or by another link.
func once(dir string, files []string, links map[string]bool) []string {
	if len(links) == 0 {
		return files
	}
	seen := map[string]bool{}
	real := func(rel string) string {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, rel))
		if err != nil {
			return rel
		}
		return path
	}
	for _, rel := range files {
		if !links[rel] {
			seen[real(rel)] = true
		}
	}
	return slices.DeleteFunc(files, func(rel string) bool {
		if !links[rel] {
			return false
		}
		path := real(rel)
		again := seen[path]
		seen[path] = true
		return again
	})
}

// excluded reports whether a pattern of --exclude is for a file or folder: by
// its name, by its path in the folder that was named, or by the whole path; **
// stands for any number of folders.
func (c *config) excluded(dir, rel string) bool {
	full := path.Clean(filepath.ToSlash(dir) + "/" + rel)
	return slices.ContainsFunc(c.exclude, func(pattern string) bool {
		pattern = strings.TrimSuffix(strings.TrimPrefix(pattern, "./"), "/")
		if ok, _ := path.Match(pattern, path.Base(rel)); ok && !strings.Contains(pattern, "/") {
			return true
		}
		return matches(pattern, rel) || matches(pattern, full)
	})
}

// matches is path.Match with ** for any number of folders.
func matches(pattern, name string) bool {
	return matchAll(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

func matchAll(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if matchAll(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, _ := path.Match(pattern[0], name[0]); !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

// validGlobs is an error for a pattern that cannot match.
func validGlobs(patterns []string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, "x"); err != nil {
			return exit.Usagef("flag --exclude: %q is not a pattern: %w", p, err).
				Hint("* stands for any text within a name, ** for any number of folders, ? for one character, [a-z] for one of a range")
		}
	}
	return nil
}

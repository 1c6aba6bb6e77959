// Command docs keeps the tables of flags and results in the documents equal to
// what the binaries' --help says. In a Markdown file, the lines between
//
//	<!-- flags: detect-arch -->
//	<!-- end -->
//
// are replaced by a table of that binary's flags, those after "results:" by
// its results. In a YAML file, the lines between
//
//	# action-inputs: detect-arch -context stitch-index
//	# end
//
// are generated from these binaries' flags, for example as inputs of an action,
// except detect-arch's --context, which is written by hand; -Build leaves out
// all flags that --help shows under that heading, and +jobs adds one of them
// back. The lines of a Markdown file after
//
//	<!-- resource: tasks/deploy/deploy.yaml -->
//
// are tables of that Task's or Pipeline's params, workspaces and results. With
// -check it changes nothing and fails if anything is stale.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/atomicfile"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
)

func main() {
	check := flag.Bool("check", false, "fail on a stale table instead of writing it")
	root := flag.String("root", ".", "the repository's root")
	workflows := flag.String("workflows", "", "instead of that, write the GitHub workflows that documents show to this folder, for a linter")
	flag.Parse()
	var err error
	if *workflows != "" {
		err = writeWorkflows(*root, *workflows)
	} else {
		err = run(*root, *check)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	changed, err := stale(root, func(name string) (*help, error) { return ask(root, name) })
	if err != nil {
		return err
	}
	if check && len(changed) > 0 {
		return fmt.Errorf("%s: what the flags say there is stale; run `make docs`", strings.Join(slices.Sorted(maps.Keys(changed)), ", "))
	}
	return atomicfile.WriteAll(changed)
}

// stale returns the files that differ from what the programs say, by path, as
// they should be.
func stale(root string, ask func(name string) (*help, error)) (map[string][]byte, error) {
	changed := map[string][]byte{}
	helps := map[string]*help{}
	sources := sources{
		ask: func(name string) (*help, error) {
			if h := helps[name]; h != nil {
				return h, nil
			}
			h, err := ask(name)
			helps[name] = h
			return h, err
		},
		read: func(path string) ([]byte, error) {
			path = filepath.Join(root, path)
			if now, ok := changed[path]; ok {
				return now, nil
			}
			return os.ReadFile(path)
		},
	}
	// tables of YAML files come after the files
	for _, rewriters := range []map[string]rewriter{{".yml": rewriteYAML, ".yaml": rewriteYAML}, {".md": rewriteMarkdown}} {
		err := files(root, func(path string, text []byte) error {
			rewrite := rewriters[filepath.Ext(path)]
			if rewrite == nil {
				return nil
			}
			now, err := rewrite(string(text), sources)
			if err != nil {
				return fmt.Errorf("reading %s: %w", path, err)
			}
			if now != string(text) {
				changed[filepath.Join(root, path)] = []byte(now)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// files visits the Markdown and YAML files that people read and pipelines run;
// path is relative to root, with slashes.
func files(root string, visit func(path string, text []byte) error) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (name[0] == '.' && name != ".github" || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !slices.Contains([]string{".md", ".yml", ".yaml"}, filepath.Ext(path)) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		path, err = filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return visit(filepath.ToSlash(path), text)
	})
}

// Sources are what a rewriter fills in.
type sources struct {
	ask  func(program string) (*help, error)
	read func(path string) ([]byte, error) // from the repository's root
}

type rewriter func(doc string, from sources) (string, error)

func rewriteMarkdown(doc string, from sources) (string, error) {
	doc, err := rewrite(doc, from)
	if err != nil {
		return doc, err
	}
	return rewriteTables(doc, from)
}

type help struct {
	Name    string
	Version string // of the release that the actions are, "dev" for none
	Flags   []flagset.Info
	Results []output.Spec
}

func ask(root, name string) (*help, error) {
	cmd := exec.Command("go", "run", "./cmd/"+name, "--help", "--json")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s --help --json: %w", name, err)
	}
	version, err := os.ReadFile(filepath.Join(root, "actions", "version"))
	if err != nil {
		return nil, err
	}
	h := help{Version: strings.TrimSpace(string(version))}
	return &h, json.Unmarshal(out, &h)
}

var tableBlock = regexp.MustCompile(`(?s)(<!-- (flags|results): ([a-z-]+) -->\n).*?(<!-- end -->)`)

func rewrite(doc string, from sources) (string, error) {
	var failed error
	doc = tableBlock.ReplaceAllStringFunc(doc, func(s string) string {
		m := tableBlock.FindStringSubmatch(s)
		h, err := from.ask(m[3])
		if err != nil {
			failed = err
			return s
		}
		if m[2] == "flags" {
			return m[1] + h.flags() + m[4]
		}
		return m[1] + h.results() + m[4]
	})
	return doc, failed
}

func (h *help) flags() string {
	var b strings.Builder
	group := ""
	for _, f := range h.Flags {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n| %s | |\n|---|---|\n", group)
		}
		name := "`--" + f.Name
		if f.Short != "" {
			name = "`-" + f.Short + "`, " + name
		}
		if f.Placeholder != "" {
			name += " " + f.Placeholder
		}
		text := f.Description
		if f.Default != "" {
			text += " (default `" + f.Default + "`)"
		}
		fmt.Fprintf(&b, "| %s` | %s |\n", cell(name), cell(text))
	}
	return b.String() + "\n"
}

func (h *help) results() string {
	var b strings.Builder
	b.WriteString("\n| result | |\n|---|---|\n")
	for _, r := range h.Results {
		name := "`" + r.Name + "`"
		if r.List {
			name += ", `" + r.Name + "[*]`"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", name, cell(r.Description))
	}
	return b.String() + "\n"
}

func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s) }

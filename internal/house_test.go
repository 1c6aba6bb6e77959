package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goFiles calls visit with every Go file of the repository, by its path from
// the root.
func goFiles(t *testing.T, visit func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() != ".." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", path)
		visit(filepath.ToSlash(rel), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

const maxLines = 350

// A file that is longer says why in its first lines: "// Longer than 350 lines: …".
func TestFilesAreShort(t *testing.T) {
	reason := regexp.MustCompile(`(?m)^// Longer than 350 lines: \S`)
	goFiles(t, func(path string, text []byte) {
		lines := strings.SplitAfterN(string(text), "\n", maxLines+2)
		long := len(lines) == maxLines+2
		says := reason.MatchString(strings.Join(lines[:min(5, len(lines))], ""))
		if long != says {
			t.Errorf("%s: longer than %d lines: %t; a reason in its first lines: %t", path, maxLines, long, says)
		}
	})
}

// A package's comment is where people look: doc.go, or main.go of a command, or
// the file of a package of one.
func TestPackageCommentsAreInTheirPlace(t *testing.T) {
	files := map[string]int{}
	comments := map[string][]string{} // the files of a folder that hold the comment
	goFiles(t, func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
			return
		}
		dir := filepath.Dir(path)
		if files[dir]++; f.Doc != nil {
			comments[dir] = append(comments[dir], filepath.Base(path))
		}
	})
	for dir, n := range files {
		in := comments[dir]
		switch {
		case len(in) != 1:
			t.Errorf("%s: the package's comment is in %q, want one file", dir, in)
		case n > 1 && in[0] != "doc.go" && in[0] != "main.go" && in[0] != filepath.Base(dir)+".go":
			t.Errorf("%s: the package's comment is in %s, want doc.go", dir, in[0])
		}
	}
}

// CONTRIBUTING.md's exercises, as far as they can be counted.

// A builder is a file of its own, which says what --builder auto picks it for
// too, and a line in builders(): no other file that is not a test says its name
// or makes one.
func TestABuilderIsTwoPlaces(t *testing.T) {
	const room = "internal/builder"
	named := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	names := map[string]string{} // builder: its file
	uses := map[string][]string{}
	makers := map[string]string{} // a function that makes a Builder of nothing: its file
	calls := map[string][]string{}
	goFiles(t, func(path string, text []byte) {
		if filepath.Dir(path) != room || strings.HasSuffix(path, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			t.Error(err)
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if r := n.Type.Results; n.Recv == nil && len(n.Type.Params.List) == 0 && r != nil && len(r.List) == 1 {
					if result, ok := r.List[0].Type.(*ast.Ident); ok && result.Name == "Builder" {
						makers[n.Name.Name] = path
					}
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok {
					calls[f.Name] = append(calls[f.Name], path)
				}
			case *ast.KeyValueExpr:
				key, _ := n.Key.(*ast.Ident)
				value, _ := n.Value.(*ast.BasicLit)
				if key != nil && key.Name == "Name" && value != nil && named.MatchString(strings.Trim(value.Value, `"`)) {
					names[strings.Trim(value.Value, `"`)] = path
				}
			case *ast.BinaryExpr: // b.Name == "buildx"
				for _, side := range []ast.Expr{n.X, n.Y} {
					if lit, ok := side.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						uses[strings.Trim(lit.Value, `"`)] = append(uses[strings.Trim(lit.Value, `"`)], path)
					}
				}
			case *ast.CompositeLit: // a map from names
				if _, ok := n.Type.(*ast.MapType); ok {
					for _, e := range n.Elts {
						if kv, ok := e.(*ast.KeyValueExpr); ok {
							if lit, ok := kv.Key.(*ast.BasicLit); ok {
								uses[strings.Trim(lit.Value, `"`)] = append(uses[strings.Trim(lit.Value, `"`)], path)
							}
						}
					}
				}
			}
			return true
		})
	})
	if len(names) < 10 || len(makers) != len(names) {
		t.Fatalf("builders found: %v, made by %v", names, makers)
	}
	for maker := range makers {
		if in := calls[maker]; !slices.Equal(in, []string{room + "/builder.go"}) {
			t.Errorf("%s() is called in %q, want builders() alone", maker, in)
		}
	}
	for name, home := range names {
		for _, in := range uses[name] {
			if in != home {
				t.Errorf("%s depends on the builder %s by its name; what is special about it belongs into %s", in, name, home)
			}
		}
	}
}

// A CI system is a file of its own and a line in Shipped: nothing outside of
// internal/output, its tests and generated adapters depends on one.
func TestACISystemIsTwoPlaces(t *testing.T) {
	systems := regexp.MustCompile(`sethvargo/go-githubactions|::group::|::stop-commands::|##vso`)
	var in []string
	goFiles(t, func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") || !strings.HasPrefix(path, "internal/") && !strings.HasPrefix(path, "cmd/") {
			return
		}
		if systems.Match(text) {
			in = append(in, path)
		}
	})
	if !slices.Equal(in, []string{"internal/output/github.go"}) {
		t.Errorf("GitHub's runner is known to %q", in)
	}
}

// A kind of object that holds a PodSpec is a line in kubeyaml's table.
func TestAKindIsOnePlace(t *testing.T) {
	kinds := regexp.MustCompile(`"argoproj\.io/Rollout"|"batch/CronJob"`)
	var in []string
	goFiles(t, func(path string, text []byte) {
		if !strings.HasSuffix(path, "_test.go") && kinds.Match(text) {
			in = append(in, path)
		}
	})
	if !slices.Equal(in, []string{"internal/kubeyaml/table.go"}) {
		t.Errorf("kinds of objects are in %q", in)
	}
}

// docs/architecture.md has a line for each room.
func TestEveryRoomIsDescribed(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for room := range layers {
		if name := filepath.Base(room); !regexp.MustCompile("(?m)^\\|[^|]*`" + name + "`[^|]*\\|").Match(text) {
			t.Errorf("docs/architecture.md has no line for %s", room)
		}
	}
}

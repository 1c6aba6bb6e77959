package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// The language leaves open whether "return x, f()" reads x before or after the
// call (go.dev/ref/spec, "Order of evaluation"), so x must not be a variable
// that a closure assigns.
func TestReturnsDoNotDependOnOrder(t *testing.T) {
	fset := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.Contains(path, "/testdata/") {
			return err
		}
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
				for _, bad := range dependingOnOrder(f.Body) {
					t.Errorf("%s: the call may change what is returned beside it", fset.Position(bad.Pos()))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dependingOnOrder finds the returns of a function's own body that read a
// variable which a closure assigns, beside a call.
func dependingOnOrder(body *ast.BlockStmt) (found []*ast.ReturnStmt) {
	assigned := map[string]bool{}
	var returns []*ast.ReturnStmt
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			own := map[string]bool{}
			ast.Inspect(n, func(n ast.Node) bool {
				a, ok := n.(*ast.AssignStmt)
				if !ok {
					return true
				}
				for _, left := range a.Lhs {
					id, ok := left.(*ast.Ident)
					switch {
					case !ok:
					case a.Tok == token.DEFINE:
						own[id.Name] = true
					case !own[id.Name]:
						assigned[id.Name] = true
					}
				}
				return true
			})
			return false
		case *ast.ReturnStmt:
			returns = append(returns, n)
		}
		return true
	})
	for _, r := range returns {
		reads, calls := false, false
		for _, e := range r.Results {
			switch e := e.(type) {
			case *ast.Ident:
				reads = reads || assigned[e.Name] && e.Name != "err" && e.Name != "nil"
			case *ast.CallExpr:
				calls = true
			}
		}
		if reads && calls {
			found = append(found, r)
		}
	}
	return found
}

func TestDependingOnOrder(t *testing.T) {
	for body, want := range map[string]int{
		"g.Go(func() { a = 1 }); return a, g.Wait()":  1,
		"g.Go(func() { a := 1 }); return a, g.Wait()": 0,
		"g.Go(func() { a = 1 }); return a":            0,
		"return a, g.Wait()":                          0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "a.go", "package a\nfunc f() {"+body+"}", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(dependingOnOrder(file.Decls[0].(*ast.FuncDecl).Body)); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
}

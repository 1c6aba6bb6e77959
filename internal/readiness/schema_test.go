package readiness

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// Every field of the JSON document is described in the documents.
func TestTheSchemaIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/readiness.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "\n## JSON\n")
	table, _, _ = strings.Cut(table, "\n## ")
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(r reflect.Type) {
		for r.Kind() == reflect.Pointer || r.Kind() == reflect.Slice || r.Kind() == reflect.Map {
			r = r.Elem()
		}
		if r.Kind() != reflect.Struct || seen[r] || !strings.HasSuffix(r.PkgPath(), "/readiness") {
			return
		}
		seen[r] = true
		for n := range r.NumField() {
			f := r.Field(n)
			visit(f.Type)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && !strings.Contains(table, "`"+name) && !strings.Contains(table, "."+name) {
				t.Errorf("%s.%s: docs/readiness.md does not describe %q", r.Name(), f.Name, name)
			}
		}
	}
	visit(reflect.TypeFor[Report]())
	if len(seen) < 9 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}

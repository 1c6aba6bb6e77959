package exit

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestError(t *testing.T) {
	cause := errors.New("404")
	inner := Deniedf("reading nodes: %w", cause).Hint("ask for %s", "access").At("a.yaml", 3, 7)
	err := fmt.Errorf("listing: %w", inner)
	if CodeOf(err) != Denied || CodeOf(cause) != Failed || CodeOf(nil) != OK {
		t.Errorf("codes %d, %d, %d", CodeOf(err), CodeOf(cause), CodeOf(nil))
	}
	if err.Error() != "listing: reading nodes: 404" || !errors.Is(err, cause) {
		t.Errorf("message %q, is cause: %t", err, errors.Is(err, cause))
	}
	both := errors.Join(Failf("x").Hint("first"), err)
	if d := cmp.Diff([]string{"first", "ask for access"}, HintsOf(both)); d != "" {
		t.Error(d)
	}
	if p := PlaceOf(both); p == nil || p.File != "a.yaml" || p.Line != 3 || p.Column != 7 {
		t.Errorf("place %+v", p)
	}
}

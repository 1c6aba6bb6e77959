package registry

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseChallenges(t *testing.T) {
	for in, want := range map[string][]challenge{
		`Bearer realm="https://auth.test/token",service="a b",scope="repository:x:pull,push"`: {{"bearer", map[string]string{"realm": "https://auth.test/token", "service": "a b", "scope": "repository:x:pull,push"}}},
		`Basic realm="with, a comma and \"quotes\""`:                                          {{"basic", map[string]string{"realm": `with, a comma and "quotes"`}}},
		`Negotiate, Basic realm=plain, Bearer realm = "x"`:                                    {{"negotiate", map[string]string{}}, {"basic", map[string]string{"realm": "plain"}}, {"bearer", map[string]string{"realm": "x"}}},
		``:              nil,
		`=`:             nil,
		`"`:             nil,
		`Basic realm="`: {{"basic", map[string]string{"realm": ""}}},
	} {
		if d := cmp.Diff(want, parseChallenges([]string{in}), cmp.AllowUnexported(challenge{})); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
}

func FuzzParseChallenges(f *testing.F) {
	for _, s := range []string{`Bearer realm="x",scope="a:b:c"`, `Basic`, `a b=c, d="\`, `,,=,"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range parseChallenges([]string{s}) {
			if c.scheme == "" || c.params == nil {
				t.Errorf("%q gives %+v", s, c)
			}
		}
	})
}

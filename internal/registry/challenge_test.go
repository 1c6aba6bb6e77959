package registry

import (
	"testing"
	"time"

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

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "-1": 0, "": 0, "soon": 0, "99999999999": 0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(in, now); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

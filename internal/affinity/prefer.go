package affinity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// A Preference is how much a platform is preferred, from 1 to 100. It never
// keeps a Pod off a node.
type Preference struct {
	Platform platform.Platform
	Weight   int
}

// ParsePreference reads PLATFORM=WEIGHT.
func ParsePreference(s string) (Preference, error) {
	name, text, ok := strings.Cut(s, "=")
	weight, err := strconv.Atoi(text)
	if !ok || err != nil || weight < 1 || weight > 100 {
		return Preference{}, fmt.Errorf("parsing preference %q: it is not PLATFORM=WEIGHT, with a weight from 1 to 100", s)
	}
	p, err := platform.Parse(name)
	if err != nil {
		return Preference{}, err
	}
	return Preference{Platform: platform.Platform{OS: p.OS, Arch: p.Arch}, Weight: weight}, nil
}

// prefer returns the preferred terms that a Pod lacks. A term of the form that
// is written here counts as written by an earlier run: it gets the new weight,
// or, if its platform is preferred no more, makes room for one that is, or goes.
// Without preferences all stay.
func prefer(have []pod.Preferred, common platform.List, want []Preference) []pod.Preference {
	if len(want) == 0 {
		return nil
	}
	var out []pod.Preference
	var missing []pod.Preferred
	free := map[int]bool{}
	for i, h := range have {
		free[i] = isOurs(h)
	}
	for _, w := range want {
		if !common.Contains(w.Platform) {
			continue
		}
		p := pod.Preferred{Weight: w.Weight, Term: pod.Term{Expressions: []pod.Requirement{pod.In(LabelOS, w.Platform.OS), pod.In(LabelArch, w.Platform.Arch)}}}
		i := slices.IndexFunc(have, func(h pod.Preferred) bool { return isOurs(h) && sameTerm(h.Term, p.Term) })
		switch {
		case i < 0:
			missing = append(missing, p)
		case have[i].Weight != p.Weight:
			out = append(out, pod.Preference{Preferred: p, Replaces: i})
		}
		delete(free, i)
	}
	for _, p := range missing {
		replaces := -1
		for i := range have {
			if free[i] {
				replaces = i
				delete(free, i)
				break
			}
		}
		out = append(out, pod.Preference{Preferred: p, Replaces: replaces})
	}
	for i := range have {
		if free[i] {
			out = append(out, pod.Preference{Replaces: i, Drop: true})
		}
	}
	return out
}

// isOurs reports whether a term has the form that is written here: one OS and
// one architecture.
func isOurs(p pod.Preferred) bool {
	e := p.Term.Expressions
	if len(e) != 2 || len(p.Term.Fields) > 0 {
		return false
	}
	one := func(r pod.Requirement, key string) bool {
		return r.Key == key && r.Operator == "In" && len(r.Values) == 1
	}
	return one(e[0], LabelOS) && one(e[1], LabelArch)
}

func sameTerm(a, b pod.Term) bool {
	return a.Expressions[0].Values[0] == b.Expressions[0].Values[0] && a.Expressions[1].Values[0] == b.Expressions[1].Values[0]
}

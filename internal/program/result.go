package program

import "fmt"

// A result is what is known about one way that a start may go.
type result struct {
	wrong, doubt []string
	again        bool // a script starts itself again: nothing new
}

func wrong(format string, args ...any) result {
	return result{wrong: []string{fmt.Sprintf(format, args...)}}
}
func doubt(format string, args ...any) result {
	return result{doubt: []string{fmt.Sprintf(format, args...)}}
}

// and is what is known where both happen.
func (r result) and(o result) result {
	return result{append(append([]string{}, r.wrong...), o.wrong...), append(append([]string{}, r.doubt...), o.doubt...), r.again || o.again}
}

// maybe is what is known where it is not certain that this happens, or that it
// matters.
func (r result) maybe() result {
	return result{nil, append(append([]string{}, r.wrong...), r.doubt...), false}
}

// or is what is known where one of both happens.
func (r result) or(o result) result {
	if len(r.wrong) > 0 && len(o.wrong) > 0 {
		return r.and(o)
	}
	return r.maybe().and(o.maybe())
}

func unique(all []string) (out []string) {
	seen := map[string]bool{}
	for _, s := range all {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

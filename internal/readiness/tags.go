package readiness

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// versionTag is a tag that begins with a version: v1.27.3-alpine.
var versionTag = regexp.MustCompile(`^([A-Za-z]{0,10}[-_]?)([0-9]{1,15}(?:\.[0-9]{1,15}){0,4})([-_+.a-zA-Z].*)?$`)

var digits = regexp.MustCompile(`[0-9]+`)

// A version is a tag taken apart.
type version struct {
	tag     string
	numbers []int
	flavour string // what is beside the version, numbers in it left out
}

func parseVersion(tag string) (v version, ok bool) {
	m := versionTag.FindStringSubmatch(tag)
	if m == nil {
		return v, false
	}
	v = version{tag: tag, flavour: m[1] + "*" + digits.ReplaceAllString(m[3], "#")}
	for _, n := range strings.Split(m[2], ".") {
		i, err := strconv.Atoi(n)
		if err != nil {
			return v, false
		}
		v.numbers = append(v.numbers, i)
	}
	return v, true
}

func (v version) compare(o version) int {
	return cmp.Or(slices.Compare(v.numbers, o.numbers), strings.Compare(v.tag, o.tag))
}

// Newer returns the tags to look at for a newer version of an image, the one
// that changes least first: the newest of its minor version, of its major
// version, and of all. They are of its flavour (-alpine) and as exact as it is;
// none are release candidates unless it is one. It is at most three tags.
func Newer(tag string, all []string) (out []string, isVersion bool) {
	have, ok := parseVersion(tag)
	if !ok {
		return nil, false
	}
	best := make([]version, 3)
	for _, t := range all {
		v, ok := parseVersion(t)
		if !ok || v.flavour != have.flavour || len(v.numbers) != len(have.numbers) || v.compare(have) <= 0 {
			continue
		}
		same := 0
		for same < len(v.numbers) && v.numbers[same] == have.numbers[same] {
			same++
		}
		for n, least := range []int{2, 1, 0} {
			if same >= least && (best[n].tag == "" || v.compare(best[n]) > 0) {
				best[n] = v
			}
		}
	}
	for _, v := range best {
		if v.tag != "" && !slices.Contains(out, v.tag) {
			out = append(out, v.tag)
		}
	}
	return out, true
}

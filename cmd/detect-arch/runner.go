package main

import (
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/text"
)

// A runner says which runner builds the platforms that begin with the prefix.
type runner struct {
	prefix []string // of os, arch, variant; empty for every platform
	labels tags
}

// githubRunners are GitHub's hosted ones; linux without a runner of its own
// is emulated.
// https://docs.github.com/en/actions/reference/runners/github-hosted-runners
var githubRunners = []runner{
	{nil, tags{"ubuntu-24.04"}},
	{[]string{"linux", "arm64"}, tags{"ubuntu-24.04-arm"}},
	{[]string{"linux", "arm"}, tags{"ubuntu-24.04-arm"}},
	{[]string{"windows"}, tags{"windows-2025"}},
	{[]string{"windows", "arm64"}, tags{"windows-11-arm"}},
}

// parseRunners reads lines of PATTERN=LABEL[,LABEL].
func parseRunners(lines []string) ([]runner, error) {
	var rs []runner
	seen := map[string]bool{}
	for _, line := range lines {
		pattern, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, exit.Usagef("flag --runner: %q is not PATTERN=LABEL[,LABEL], for example linux/arm64=ubuntu-24.04-arm", line)
		}
		r := runner{}
		for _, l := range strings.Split(value, ",") {
			if l = strings.TrimSpace(l); l == "" || text.Clean(l) != l || strings.Contains(l, "\t") {
				return nil, exit.Usagef("flag --runner: %q names a runner without a label, or one with a control character", line)
			}
			r.labels = append(r.labels, l)
		}
		var err error
		if r.prefix, err = parsePattern(strings.TrimSpace(pattern)); err != nil {
			return nil, exit.Usagef("flag --runner: %q: %w", line, err)
		}
		key := strings.Join(r.prefix, "/")
		if seen[key] {
			return nil, exit.Usagef("flag --runner: there are two for %s", pattern)
		}
		seen[key] = true
		rs = append(rs, r)
	}
	return rs, nil
}

// parsePattern reads os, os/arch, os/arch/variant, arch, or default.
func parsePattern(s string) ([]string, error) {
	if s == "default" || s == "*" {
		return nil, nil
	}
	if !strings.Contains(s, "/") {
		if p, err := platform.Parse(s + "/amd64"); err == nil && p.Variant == "" && p.Arch == "amd64" {
			return []string{p.OS}, nil
		}
	}
	p, err := platform.Parse(s)
	if err != nil {
		return nil, err
	}
	return strings.Split(p.String(), "/"), nil
}

// runnerFor returns the labels of the most specific runner for p: of rs, or of
// the provider's own if none of rs is for p.
func runnerFor(p platform.Platform, rs, provider []runner) tags {
	parts := strings.Split(p.String(), "/")
	for _, of := range [][]runner{rs, provider} {
		best := -1
		for i, r := range of {
			n := len(r.prefix)
			if n <= len(parts) && strings.Join(parts[:n], "/") == strings.Join(r.prefix, "/") && (best < 0 || n > len(of[best].prefix)) {
				best = i
			}
		}
		if best >= 0 {
			return of[best].labels
		}
	}
	return tags{"ubuntu-24.04"}
}

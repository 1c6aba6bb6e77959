package main

import (
	"encoding/json"

	"github.com/polyarch/polyarch/internal/platform"
)

// A matrix is the value of strategy.matrix in a GitHub workflow.
type matrix struct {
	Include []leg `json:"include"`
}

// A leg is one job of the matrix.
type leg struct {
	Platform string `json:"platform"`
	Arch     string `json:"arch"`
	Runner   tags   `json:"runner"` // for runs-on
	Slug     string `json:"slug"`   // the platform, for names of files and artifacts
	// Optional is for continue-on-error; it is there for those alone that may fail.
	Optional bool `json:"optional,omitempty"`
}

// tags are the labels of a runner: in JSON a string if it is one, else an array;
// runs-on takes both.
type tags []string

func (l tags) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return json.Marshal(l[0])
	}
	return json.Marshal([]string(l))
}

func newMatrix(ps platform.List, rs []runner, optional platform.List) matrix {
	m := matrix{Include: []leg{}}
	for _, p := range ps {
		m.Include = append(m.Include, leg{p.String(), p.Arch, runnerFor(p, rs, githubRunners), p.Slug(), optional.Covers(p)})
	}
	return m
}

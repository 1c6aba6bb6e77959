package output

import (
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
)

// gitlab writes the results as variables that later jobs have.
type gitlab struct {
	Plain
	path string
}

func (g *gitlab) Register(fs *flagset.Set) {
	fs.String(&g.path, "dotenv", "", "write the results as variables to `PATH`, for GitLab's artifacts:reports:dotenv")
}

func (g *gitlab) Wanted() string {
	if g.path == "" {
		return ""
	}
	return "--dotenv"
}

func (g *gitlab) Files(r Report, _ World) ([]File, error) {
	b, err := Dotenv(r.Results)
	return []File{{g.path, b}}, err
}

// GitLab's limits for artifacts:reports:dotenv
// (docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv).
const (
	dotenvBytes = 5 << 10
	dotenvLines = 20
)

// Dotenv returns the results as NAME=value lines. GitLab takes no quotes, no
// blank and no multi-line values; a result without a value has no line.
func Dotenv(rs []Result) ([]byte, error) {
	var b strings.Builder
	lines := 0
	for _, r := range rs {
		if err := oneLine(r); err != nil {
			return nil, err
		}
		if strings.TrimSpace(r.Text) == "" {
			continue
		}
		name, err := Variable(r.Name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s=%s\n", name, r.Text)
		lines++
	}
	if lines > dotenvLines || b.Len() >= dotenvBytes {
		return nil, exit.Failf("writing dotenv: %d variables in %d bytes are more than GitLab's %d variables in %d bytes", lines, b.Len(), dotenvLines, dotenvBytes).
			Hint("pass the results as --json in a file of an ordinary artifact instead")
	}
	return []byte(b.String()), nil
}

// Variable returns the name of the variable for a result: image-digest is IMAGE_DIGEST.
func Variable(name string) (string, error) {
	v := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if v == "" || strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return "", exit.Failf("writing dotenv: %q is not the name of a variable", name)
	}
	return v, nil
}

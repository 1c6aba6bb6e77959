package output

import (
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

// GitLab's limits for artifacts:reports:dotenv
// (docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv).
const (
	dotenvBytes = 5 << 10
	dotenvLines = 20
)

// Dotenv gives the results as NAME=value lines. GitLab takes no quotes, no
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

// Variable gives a result's name as that of a variable: image-digest is IMAGE_DIGEST.
func Variable(name string) (string, error) {
	v := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if v == "" || strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return "", exit.Failf("writing dotenv: %q is no name of a variable", name)
	}
	return v, nil
}

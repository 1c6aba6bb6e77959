package builder

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
)

var digestGrammar = regexp.MustCompile(`sha256:[0-9a-f]{64}\b`)

// maxReport bounds the files that tools write: BuildKit's has the provenance.
const maxReport = 16 << 20

// digestInFile reads the first digest of a file.
func digestInFile(path string) func([]string) (Pushed, error) {
	return func([]string) (Pushed, error) {
		b, err := readReport(path)
		if err != nil {
			return Pushed{}, err
		}
		d := digestGrammar.Find(b)
		if d == nil {
			return Pushed{}, fmt.Errorf("%s holds no digest", path)
		}
		return Pushed{Digest: string(d)}, nil
	}
}

// digestInMetadata reads what BuildKit's clients write with --metadata-file.
func digestInMetadata(path string) func([]string) (Pushed, error) {
	return func([]string) (Pushed, error) {
		b, err := readReport(path)
		if err != nil {
			return Pushed{}, err
		}
		var doc struct {
			Digest string `json:"containerimage.digest"`
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			return Pushed{}, fmt.Errorf("%s: %w", path, err)
		}
		if d := digestGrammar.FindString(doc.Digest); d == "" || d != doc.Digest {
			return Pushed{}, fmt.Errorf("%s: containerimage.digest is %q", path, doc.Digest)
		}
		return Pushed{Digest: doc.Digest}, nil
	}
}

// digestLine looks for a digest in the last lines that a tool printed. A tool
// whose wording has changed reports nothing, which is not an error.
func digestLine(line *regexp.Regexp) func([]string) (Pushed, error) {
	return func(lines []string) (Pushed, error) {
		p := Pushed{}
		for _, l := range lines {
			if m := line.FindStringSubmatch(l); m != nil {
				p.Digest = m[1]
			}
		}
		return p, nil
	}
}

func readReport(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxReport))
}

package internal

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
)

// sizes bounds the binaries, static and stripped as they are released. The
// next thing that would break a bound is worth a thought before it is linked.
var sizes = map[string]int64{
	"cmd/detect-arch":     14 << 20,
	"cmd/stitch-index":    12 << 20,
	"cmd/inject-affinity": 12 << 20,
}

func TestSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("it links every binary")
	}
	for main, most := range sizes {
		file := filepath.Join(t.TempDir(), path.Base(main))
		cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", file, module+main)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > most {
			t.Errorf("%s has %d bytes, more than %d", path.Base(main), info.Size(), most)
		}
	}
}

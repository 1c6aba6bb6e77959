// Command recording runs polyarch's main workflow against a registry on this
// machine and draws what a terminal shows of it: the picture in README.md.
//
//	recording [--out docs/demo.svg]
//
// The commands run for real, and the picture's timing is that of the run, with
// pauses cut to what a reader waits for. It needs bin/ (make build demo).
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/polyarch/polyarch/internal/imagetest"
)

func main() {
	out := flag.String("out", "docs/demo.svg", "the picture")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

// A line is one that a terminal shows.
type line struct {
	text string
	at   time.Duration // after the line before
}

const address = "127.0.0.1:5577"

// scenes are what is typed; a comment stands above.
var scenes = []struct{ comment, command string }{
	{"# Which platforms does the cluster run?", "detect-arch --from-file nodes.json"},
	{"# Build for each of them, check the programs, make one index.", "stitch-index --image " + address + "/hello --tag v1 --name hello --artifacts-file built.json \\\n    --platform linux/amd64,linux/arm64 -- demo build"},
	{"# Pin the workloads to nodes that can run the image.", "inject-affinity --artifacts built.json --diff k8s/deployment.yaml"},
	{"# An image that somebody else published: does it hold what it says?", "stitch-index --dry-run --image " + address + "/other:v1 " + address + "/other:v1"},
}

func run(out string) error {
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "recording-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.CopyFS(work, os.DirFS("samples/hello")); err != nil {
		return err
	}
	registry := exec.Command(filepath.Join(bin, "demo"), "registry", "--listen", address)
	said, err := registry.StdoutPipe()
	if err != nil {
		return err
	}
	if err := registry.Start(); err != nil {
		return fmt.Errorf("%w; run make build demo first", err)
	}
	defer registry.Wait()
	defer registry.Process.Kill()
	if first, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(first, address) {
		return fmt.Errorf("the registry says %q, %w", first, err)
	}
	// as one of those that README.md names: arm64 by its config, amd64 inside
	if _, err := imagetest.PushIndex(address+"/other:v1", imagetest.App("linux/amd64", "amd64", "Hello"), imagetest.App("linux/arm64", "amd64", "Hello")); err != nil {
		return err
	}
	var lines []line
	for i, s := range scenes {
		if i > 0 {
			lines = append(lines, line{"", 1500 * time.Millisecond})
		}
		lines = append(lines, line{s.comment, 600 * time.Millisecond})
		for j, typed := range strings.Split(s.command, "\n") {
			prompt := "$ "
			if j > 0 {
				prompt = ""
			}
			lines = append(lines, line{prompt + typed, 900 * time.Millisecond})
		}
		shown, err := play(work, bin, s.command)
		if err != nil {
			return err
		}
		lines = append(lines, shown...)
	}
	return os.WriteFile(out, draw(lines), 0o644)
}

// play runs a command and returns what it printed, and when. A command may
// fail, but it must start.
func play(dir, bin, command string) ([]line, error) {
	cmd := exec.Command("bash", "-c", "("+command+") 2>&1")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var lines []line
	last := time.Now()
	for s := bufio.NewScanner(out); s.Scan(); last = time.Now() {
		text := strings.ReplaceAll(s.Text(), dir+"/", "")
		for i, part := range wrapped(text) {
			lines = append(lines, line{part, min(time.Since(last), time.Second) * time.Duration(max(0, 1-i))})
		}
	}
	if cmd.Wait(); len(lines) == 0 {
		return nil, fmt.Errorf("%s printed nothing", command)
	}
	return lines, nil
}

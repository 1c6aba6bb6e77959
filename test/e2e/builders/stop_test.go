package builders

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stops ends stitch-index with a signal while its builds wait.
func stops(t *testing.T, b builder, repository string) {
	mark := "MARK=" + strings.ReplaceAll(repository, "/", "-")
	p := b.project(t, endless)
	args := append([]string{"--image", repository, "--tag", "v1", "--platform", platforms}, append(p.args, b.args...)...)
	cmd := b.command(t, p.context, append(append([]string{mark}, b.env...), p.env...), args, b.after)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	for deadline := time.Now().Add(2 * time.Minute); !p.waits(); time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("the build ended\n%s", output.String())
		default:
		}
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			t.Fatal("the build does not begin to wait")
		}
	}
	stopped := time.Now()
	cmd.Process.Signal(syscall.SIGTERM)
	<-ended
	t.Logf("it ended %s after the signal", time.Since(stopped).Round(time.Millisecond))
	if code := cmd.ProcessState.ExitCode(); code != 143 {
		t.Errorf("exit code %d\n%s", code, output.String())
	}
	var left []process
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if left = append(processes("environ", mark), processes("cmdline", sleeping)...); len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("20 s later there are still %v", left)
			for _, p := range left { // the next test looks for such ones too
				syscall.Kill(p.pid, syscall.SIGKILL)
			}
			break
		}
	}
	untagged(t, repository, "")
}

// sleeping is in the command line of a RUN that waits for ever.
const sleeping = "sleep\x004242"

type process struct {
	pid  int
	line string
}

// processes are those whose file below /proc/PID holds the text.
func processes(file, text string) []process {
	var found []process
	files, _ := filepath.Glob("/proc/[0-9]*/" + file)
	for _, f := range files {
		if b, _ := os.ReadFile(f); bytes.Contains(b, []byte(text)) {
			dir := filepath.Dir(f)
			line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
			pid, _ := strconv.Atoi(filepath.Base(dir))
			found = append(found, process{pid, strings.ReplaceAll(string(line), "\x00", " ")})
		}
	}
	return found
}

func sleeps() bool { return len(processes("cmdline", sleeping)) > 0 }

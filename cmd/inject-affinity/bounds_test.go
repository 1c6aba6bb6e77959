//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/polyarch/polyarch/internal/exit"
)

// many is a text n times, with its number where the text has a %d.
func many(n int, text string) string {
	var b strings.Builder
	for i := range n {
		if strings.Contains(text, "%d") {
			fmt.Fprintf(&b, text, i)
			continue
		}
		b.WriteString(text)
	}
	return b.String()
}

const (
	listHead     = "kind: List\napiVersion: v1\nitems:\n"
	functionHead = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n"
	onePod       = "{kind: Pod, apiVersion: v1, spec: {containers: [{image: hello}]}}"
)

// manifests are what a stranger may have put into a file: each takes little room
// and once took minutes or much memory. Without a want they are read.
// It is a function, since the program under test is this one.
func manifests() map[string]struct{ in, want string } {
	return map[string]struct{ in, want string }{
		"Pods on one line": {"kind: List\napiVersion: v1\nitems: [" + many(5_000, onePod+",") + onePod + "]\n", ""},
		"terms on one line": {"kind: Pod\napiVersion: v1\nspec: {containers: [{image: hello}], affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [" +
			many(5_000, "{matchExpressions: [{key: a, operator: Exists}]},") + "{matchFields: []}]}}}}\n", ""},
		"terms that are doubled": {podText + "  affinity:\n    nodeAffinity:\n      requiredDuringSchedulingIgnoredDuringExecution:\n        nodeSelectorTerms:\n" +
			many(20_000, "        - matchExpressions: [{key: a, operator: In, values: [b%d]}]\n"), "with what is added, this document would have more than 400000 values"},
		"a node selector of many labels":  {podText + "  nodeSelector:\n" + many(190_000, "    k%d: b\n"), ""},
		"labels again by many merge keys": {podText + "  x: &x {" + many(1_000, "k%d: b, ") + "}\n  nodeSelector:\n" + many(1_000, "    <<: *x\n"), "aliases multiply"},
		"Pods that share containers": {listHead + "- kind: Pod\n  apiVersion: v1\n  spec:\n    containers: &c\n" + many(10_000, "    - {image: hello, name: c%d}\n") +
			many(5_000, "- {kind: Pod, apiVersion: v1, spec: {containers: *c}}\n"), "aliases multiply what Pods hold to more than 400000 values"},
		"Pods that share unknown images": {listHead + "- kind: Pod\n  apiVersion: v1\n  spec:\n    containers: &c\n" + many(10_000, "    - {image: other/app, name: c%d}\n") +
			many(37, "- {kind: Pod, apiVersion: v1, spec: {containers: *c}}\n"), "the platforms of image other/app are not known"},
		"a key that appears often":       {podText + "metadata:\n  annotations:\n" + many(190_000, "    a: b\n"), ""},
		"a function's input of values":   {functionHead + "- [" + many(6_000_000, "{},") + "]\n", "more than"},
		"a function's input of JSON":     {`{"apiVersion":"config.kubernetes.io/v1","kind":"ResourceList","items":[` + many(6_000_000, "{},") + "{}]}", ""},
		"a function's input of Pods":     {functionHead + many(100_000, "- kind: Pod\n  apiVersion: v1\n  metadata: {name: a}\n  spec: {containers: [{image: hello}]}\n"), "more than"},
		"documents of nothing":           {many(300_000, "---\n"), ""},
		"documents of a Pod, one a line": {many(10_000, "---\n"+onePod+"\n"), ""},
	}
}

const maxResident = 256 << 20

// TestMemoryIsBounded runs the built program, whose collector heeds a limit.
func TestMemoryIsBounded(t *testing.T) {
	info, _ := debug.ReadBuildInfo()
	if runtime.GOOS != "linux" || slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("memory is read from /proc, and the race detector takes several times as much")
	}
	program, err := exec.LookPath("inject-affinity") // testscript.Main puts it there
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range manifests() {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			cmd := exec.Command(program, "--offline", "--quiet", "--timeout", "2m", "--image", "hello=;linux/arm64,windows/amd64")
			cmd.Stdin, cmd.Stderr = strings.NewReader(m.in), &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			peak := 0
			for running := true; running; {
				select {
				case err = <-ended:
					running = false
				case <-time.After(2 * time.Millisecond):
					b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
					if _, after, ok := strings.Cut(string(b), "VmHWM:"); ok {
						var kb int
						fmt.Sscan(after, &kb)
						peak = max(peak, kb<<10)
					}
				}
			}
			if (err == nil) != (m.want == "") || !strings.Contains(stderr.String(), m.want) || peak > maxResident {
				t.Errorf("%v, %d MB resident: %.500s", err, peak>>20, stderr.String())
			}
			if lines := strings.Count(stderr.String(), "\n"); lines > 250 {
				t.Errorf("%d lines of messages", lines)
			}
			t.Logf("%d MB resident", peak>>20)
		})
	}
}

// TestSpoolIsBounded: a stream without an end does not fill the temporary folder.
func TestSpoolIsBounded(t *testing.T) {
	out := &sink{spool: spool{limit: 1 << 20}}
	defer out.abort()
	in := &injector{images: &catalogue{}}
	endless := io.NopCloser(&endless{text: "---\nkind: ConfigMap\n"})
	err := in.file(t.Context(), source{name: "x", in: endless}, out, &record{})
	if err == nil || !strings.Contains(err.Error(), "it has more than 1.0 MB") || len(exit.HintsOf(err)) == 0 {
		t.Error(err)
	}
}

type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[(e.at+i)%len(e.text)]
	}
	e.at += len(p)
	return len(p), nil
}

// TestPipesThatNobodyOpens: what waits for a pipe ends with the time limit,
// whether the program reads it or writes it.
func TestPipesThatNobodyOpens(t *testing.T) {
	program, err := exec.LookPath("inject-affinity")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "a.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("kind: ConfigMap\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{pipe}, {"--artifacts", pipe, file}, {"--crds", pipe, file}, {"--report-file", pipe, file}, {"--result", "files=" + pipe, "--check", file}} {
		cmd := exec.Command(program, append([]string{"--offline", "--timeout", "300ms"}, args...)...)
		out, err := cmd.CombinedOutput() // the test's own time limit ends one that waits
		if err == nil || cmd.ProcessState.ExitCode() != 5 || !strings.Contains(string(out), "the time limit of 300ms was reached") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
		if left, _ := os.ReadDir(dir); len(left) != 2 {
			t.Errorf("%q: %v are left", args, left)
		}
	}
}

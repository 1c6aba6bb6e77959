//go:build unix

package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

// A recorder keeps what a Watcher is told.
type recorder struct {
	mu    sync.Mutex
	lines map[string][]string
	ended map[string]error
	line  func(leg, line string)
}

func (r *recorder) Running(Leg, Step) {}
func (r *recorder) Line(leg Leg, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines == nil {
		r.lines = map[string][]string{}
	}
	r.lines[leg.Name] = append(r.lines[leg.Name], line)
	if r.line != nil {
		r.line(leg.Name, line)
	}
}
func (r *recorder) Ended(leg Leg, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended == nil {
		r.ended = map[string]error{}
	}
	r.ended[leg.Name] = err
}

func list(t *testing.T, s string) platform.List {
	t.Helper()
	l, err := platform.ParseList(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// script is a request for the custom builder that runs a shell script.
func script(t *testing.T, platforms, text string) Request {
	t.Helper()
	return Request{Image: "registry.example/app", Tag: "v1", Platforms: list(t, platforms), Context: t.TempDir(), Command: []string{"sh", "-c", text}}
}

func start(t *testing.T, ctx context.Context, r Request, jobs int, keepGoing bool, w Watcher) ([]Result, error) {
	t.Helper()
	b, err := Lookup("custom")
	if err != nil {
		t.Fatal(err)
	}
	legs, err := b.Plan(r, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return Runner{Builder: b, Host: Host{Exists: func(p string) bool { _, err := os.Stat(p); return err == nil }}, Jobs: jobs, KeepGoing: keepGoing, Environ: os.Environ(), Watcher: w}.Run(ctx, legs)
}

func TestCustomCommandSeesSkaffoldsEnvironment(t *testing.T) {
	var rec recorder
	r := script(t, "amd64,arm/v7", `env | grep -E '^(IMAGE|PUSH|BUILD_CONTEXT|PLATFORM|SKIP)' | sort; pwd; test -d "$OCI_LAYOUT"`)
	_, err := start(t, t.Context(), r, 2, false, &rec)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for _, p := range r.Platforms {
		want[p.String()] = []string{
			"BUILD_CONTEXT=" + r.Context,
			"IMAGE=registry.example/app:v1_" + p.Slug(),
			"IMAGE_REPO=registry.example/app",
			"IMAGE_TAG=v1_" + p.Slug(),
			"PLATFORM=" + p.String(),
			"PLATFORMS=" + p.String(),
			"PUSH_IMAGE=true",
			"SKIP_TEST=false",
			r.Context,
		}
	}
	if d := cmp.Diff(want, rec.lines); d != "" {
		t.Error(d)
	}
}

func TestCustomCommandMayLeaveALayout(t *testing.T) {
	r := script(t, "amd64,arm64", `if [ $PLATFORM = linux/arm64 ]; then echo '{}' > $OCI_LAYOUT/index.json; fi`)
	results, err := start(t, t.Context(), r, 1, false, &recorder{})
	if err != nil {
		t.Fatal(err)
	}
	if l := results[0].Pushed.Layout; l != "" {
		t.Errorf("linux/amd64 left nothing, and %s is to be pushed", l)
	}
	if l := results[1].Pushed.Layout; filepath.Base(l) != "layout" || filepath.Dir(l) != results[1].Leg.Dir {
		t.Errorf("linux/arm64: layout %q", l)
	}
}

// The other builds end with the one that failed, with all that they started,
// even if they ignore the request.
func TestAFailureEndsTheOthers(t *testing.T) {
	children := filepath.Join(t.TempDir(), "children")
	started := make(chan struct{})
	rec := &recorder{line: func(_, line string) {
		if line == "waiting" {
			close(started)
		}
	}}
	r := script(t, "amd64,arm64", `if [ $PLATFORM = linux/amd64 ]; then until [ -s `+children+` ]; do sleep 0.01; done; echo boom; exit 7; fi
trap '' TERM; (trap '' TERM; sleep 600) & echo $! > `+children+`; echo waiting; wait; wait`)
	results, err := start(t, t.Context(), r, 2, false, rec)
	<-started
	if err == nil || err.Error() != "building linux/amd64 with custom: exit status 7" || exit.CodeOf(err) != exit.Failed {
		t.Errorf("error %v", err)
	}
	var step *StepError
	if !errors.As(err, &step) || !slices.Equal(step.Tail, []string{"boom"}) {
		t.Errorf("its last lines are not with it: %v", step)
	}
	if !errors.Is(results[1].Err, errSibling) {
		t.Errorf("linux/arm64: %v", results[1].Err)
	}
	b, err := os.ReadFile(children)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	fmt.Sscan(string(b), &pid)
	eventually(t, fmt.Sprintf("the end of process %d, started by the build that was ended", pid), func() bool {
		return syscall.Kill(pid, 0) != nil || zombie(pid)
	})
}

// zombie reports whether a process has ended and waits for its parent, which
// may be a container's first process that never looks.
func zombie(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(state, "Z")
}

func TestKeepGoing(t *testing.T) {
	r := script(t, "amd64,arm64,s390x", `echo built; test $PLATFORM != linux/amd64`)
	rec := &recorder{}
	results, err := start(t, t.Context(), r, 1, true, rec)
	if err == nil || !strings.HasPrefix(err.Error(), "building linux/amd64 ") {
		t.Errorf("error %v", err)
	}
	for _, x := range results[1:] {
		if x.Err != nil || len(rec.lines[x.Leg.Name]) != 1 {
			t.Errorf("%s: %v, %q", x.Leg.Name, x.Err, rec.lines[x.Leg.Name])
		}
	}
}

// Builds that have not begun when one fails do not begin at all.
func TestAFailureKeepsOthersFromStarting(t *testing.T) {
	rec := &recorder{}
	results, err := start(t, t.Context(), script(t, "amd64,arm64", `exit 1`), 1, false, rec)
	if err == nil || results[1].Err == nil || len(rec.ended) != 1 {
		t.Errorf("%v; %v; ended %v", err, results[1].Err, rec.ended)
	}
}

func TestASignalEndsTheBuilds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	rec := &recorder{line: func(_, line string) { cancel(stop) }}
	_, err := start(t, ctx, script(t, "amd64", `echo up; sleep 600`), 1, false, rec)
	if !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}

// A build tool that leaves a daemon behind, as Gradle and Bazel do, is done
// when the tool is.
func TestADaemonThatStaysDoesNotHoldUsUp(t *testing.T) {
	r := script(t, "amd64", `sleep 30 & echo $! > pid; echo done`)
	rec := &recorder{}
	if _, err := start(t, t.Context(), r, 1, false, rec); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(filepath.Join(r.Context, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	fmt.Sscan(string(b), &pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the daemon was ended: %v", err)
	}
	if d := cmp.Diff([]string{"done"}, rec.lines["linux/amd64"]); d != "" {
		t.Error(d)
	}
}

func TestACommandThatDoesNotStart(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"locked": "#!/bin/sh\n", "no-interpreter": "#!/no/such/shell\n", "no-script": "echo\n"} {
		mode := os.FileMode(0o755)
		if name == "locked" {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for command, want := range map[string][2]string{
		"no-such-program-here": {"it was not found", ""},
		"./build.sh":           {"it was not found", "the command runs in the folder " + dir},
		"./locked":             {"it may not be executed", "chmod +x ./locked"},
		"./no-interpreter":     {"the interpreter that its first line names was not found", "install it"},
		"./no-script":          {"it is not a program for this machine, nor a script whose first line names an interpreter", "begin a script with #!/bin/sh, or write sh ./no-script"},
	} {
		r := script(t, "amd64", "")
		r.Context, r.Command = dir, []string{command}
		_, err := start(t, t.Context(), r, 1, false, &recorder{})
		if err == nil || err.Error() != "starting "+command+": "+want[0] || !strings.HasPrefix(strings.Join(exit.HintsOf(err), ""), want[1]) {
			t.Errorf("%s: %v %q", command, err, exit.HintsOf(err))
		}
	}
}

// childOf names the file that a build of TestAKilledParentLeavesNoBuild writes
// its number to.
const childOf = "POLYARCH_TEST_CHILD"

// A parent that is killed cannot end its builds: the kernel does.
func TestAKilledParentLeavesNoBuild(t *testing.T) {
	if file := os.Getenv(childOf); file != "" { // the parent
		steps := []Step{{Argv: []string{"sh", "-c", `echo $$ > "$0.new" && mv "$0.new" "$0" && exec sleep 600`, file}}}
		Runner{Jobs: 1, Watcher: &recorder{}}.Run(context.Background(), []Leg{{Dir: filepath.Dir(file), Build: Build{Steps: steps}}}) // the other one's folder: this one cannot remove its own
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("PR_SET_PDEATHSIG is Linux's")
	}
	file := filepath.Join(t.TempDir(), "pid")
	parent := exec.Command(os.Args[0], "-test.run=^TestAKilledParentLeavesNoBuild$")
	parent.Env = append(os.Environ(), childOf+"="+file)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer parent.Wait()
	defer parent.Process.Kill()
	pid := 0
	eventually(t, "the build runs", func() bool {
		b, _ := os.ReadFile(file)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return pid > 0
	})
	parent.Process.Kill()
	eventually(t, "the build is ended", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, state, _ := strings.Cut(string(b), ") ")
		return err != nil || strings.HasPrefix(state, "Z") // nobody may reap it here
	})
}

// eventually waits a minute at most, for a slow machine.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 6000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it never came: %s", what)
}

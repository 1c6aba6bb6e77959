package programs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A job is a root file system and what is started in it.
type job struct {
	Lower, Upper string // folders; Upper is laid over Lower
	Argv, Env    []string
	Dir          string
}

// An outcome is how it ended.
type outcome struct {
	Code   int    // the exit code; -1 for a signal
	Output string // the end of both outputs, or why nothing was started
}

// A runner is a process in namespaces of its own, in which the kernel runs
// programs of other architectures by qemu-user. All ends with the process.
type runner struct {
	cmd *exec.Cmd
	in  *json.Encoder
	out *json.Decoder
	end io.Closer
}

// helper names what this program does when it is started again.
const helper = "POLYARCH_E2E_PROGRAMS"

// Main is to be called first in TestMain: it does not return in a helper.
func Main() {
	var err error
	switch os.Getenv(helper) {
	case "":
		return
	case "runner":
		err = serve()
	case "init":
		err = initial()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e helper:", err)
		os.Exit(125)
	}
	os.Exit(0)
}

func newRunner(ctx context.Context, work string) (*runner, error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), helper+"=runner")
	cmd.Dir = work
	cmd.Stderr = os.Stderr
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, UidMappings: ids, GidMappings: ids,
		GidMappingsEnableSetgroups: true, Pdeathsig: syscall.SIGKILL,
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &runner{cmd, json.NewEncoder(in), json.NewDecoder(out), in}, cmd.Start()
}

func (r *runner) run(j job) (o outcome, err error) {
	if err := r.in.Encode(j); err != nil {
		return o, err
	}
	return o, r.out.Decode(&o)
}

func (r *runner) close() error {
	r.end.Close()
	return r.cmd.Wait()
}

// emulators are the rules of Debian's qemu-user-static that are registered.
var emulators = []string{"aarch64", "arm", "ppc64le", "riscv64", "s390x"}

// serve is the runner.
func serve() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	misc, err := os.MkdirTemp(".", "binfmt-")
	if err != nil {
		return err
	}
	if err := syscall.Mount("binfmt_misc", misc, "binfmt_misc", 0, ""); err != nil {
		return fmt.Errorf("mounting binfmt_misc: %w", err)
	}
	for _, e := range emulators {
		rule, err := os.ReadFile("/usr/lib/binfmt.d/qemu-" + e + ".conf")
		if err != nil {
			return err
		}
		line, _, _ := strings.Cut(string(rule), "\n")
		if err := os.WriteFile(filepath.Join(misc, "register"), []byte(line), 0o200); err != nil {
			return fmt.Errorf("registering qemu for %s: %w", e, err)
		}
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var j job
		if err := in.Decode(&j); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		o, err := once(j)
		if err != nil {
			return err
		}
		if err := out.Encode(o); err != nil {
			return err
		}
	}
}

// once lays the folders over each other and starts the program there.
func once(j job) (o outcome, err error) {
	work, err := os.MkdirTemp(filepath.Dir(j.Upper), "work-")
	if err != nil {
		return o, err
	}
	defer os.RemoveAll(work)
	root := filepath.Join(work, "root")
	for _, d := range []string{root, filepath.Join(work, "w"), filepath.Join(j.Upper, "proc"), filepath.Join(j.Upper, "dev")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return o, err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", j.Lower, j.Upper, filepath.Join(work, "w"))
	if err := syscall.Mount("overlay", root, "overlay", 0, options); err != nil {
		return o, fmt.Errorf("mounting %s: %w", options, err)
	}
	defer syscall.Unmount(root, syscall.MNT_DETACH)
	for _, d := range []string{"proc", "dev"} {
		if err := syscall.Mount("/"+d, filepath.Join(root, d), "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
			return o, fmt.Errorf("mounting /%s: %w", d, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	text, _ := json.Marshal(j)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", root, string(text))
	cmd.Env = []string{helper + "=init"}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return o, err
	}
	said := output.String()
	return outcome{cmd.ProcessState.ExitCode(), said[max(0, len(said)-400):]}, nil
}

// initial becomes the program, found as runc finds it.
func initial() error {
	var j job
	if err := json.Unmarshal([]byte(os.Args[2]), &j); err != nil {
		return err
	}
	if err := syscall.Chroot(os.Args[1]); err != nil {
		return err
	}
	if j.Dir == "" {
		j.Dir = "/"
	}
	if err := os.Chdir(j.Dir); err != nil {
		return err
	}
	os.Clearenv()
	for _, e := range j.Env {
		k, v, _ := strings.Cut(e, "=")
		os.Setenv(k, v)
	}
	p, err := exec.LookPath(j.Argv[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("starting %s: %w", p, syscall.Exec(p, j.Argv, os.Environ()))
}

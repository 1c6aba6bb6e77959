package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A process is a child of this process, and dies with it, however that ends.
type process struct {
	name string
	log  string // file with what it printed
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended and was waited for
}

// start runs cmd from the thread, with its output in a file of dir. The command gets a process group
// of its own, so that a terminal's interrupt is ours to act on.
func (t *thread) start(name, dir string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), cmd: cmd, done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := t.do(cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// kill ends the process at once and waits for its end. A polite signal does not help here: an
// API server with open watches takes a minute to react to it.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// failure says why the process failed: what it printed last.
func (p *process) failure(cause error) error {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Errorf("running %s: %w", p.name, cause)
	}
	const most = 4 << 10
	if len(b) > most {
		b = b[len(b)-most:]
		b = b[bytes.IndexByte(b, '\n')+1:]
	}
	return fmt.Errorf("running %s: %w; it printed last:\n%s", p.name, cause, b)
}

// until waits for the process to become ready: until ask returns no error. It fails when the
// process ends, and after two minutes.
func (p *process) until(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.failure(errors.New("it ended: " + p.cmd.ProcessState.String()))
		case <-ctx.Done():
			return p.failure(fmt.Errorf("waiting until it is ready: %w", err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

package process

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"time"
)

// patience is how long a command may take to end after it was asked to. The
// program itself has 0.9 s after a signal.
const patience = 500 * time.Millisecond

// A Command is a program to run, and with what.
type Command struct {
	Argv []string
	Dir  string   // empty: the current one
	Env  []string // all that it sees of the environment, NAME=VALUE

	Guard *Guard // ends it if this program is killed; may be nil
}

// Run runs a command to its end, without standard input; out takes what it
// prints. When ctx ends, the command and all that it started are asked to end,
// and killed half a second later. Errors are those of package os/exec, and what
// ended ctx before the command was started.
func Run(ctx context.Context, command Command, out *Lines) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c := exec.Command(command.Argv[0], command.Argv[1:]...)
	c.Dir = command.Dir
	c.Env = append([]string{}, command.Env...) // nil would be all of this program's
	c.Stdout, c.Stderr = out, out
	c.WaitDelay = time.Second // a daemon that the command left behind may hold its output open
	runtime.LockOSThread()    // see ownGroup
	defer runtime.UnlockOSThread()
	ownGroup(c)
	if err := c.Start(); err != nil {
		return err
	}
	command.Guard.started(c.Process.Pid)
	defer command.Guard.ended(c.Process.Pid)
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		others := straysOf(c.Process.Pid)
		terminate(c)
		others.terminate()
		late := time.Now().Add(patience)
		select {
		case <-ended: // its children may still be there
		case <-time.After(patience):
		}
		for others.left() && time.Now().Before(late) {
			time.Sleep(10 * time.Millisecond)
		}
		kill(c)
		others.kill()
	}()
	err := c.Wait()
	close(ended)
	<-watched
	out.End()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

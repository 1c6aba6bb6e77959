package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
)

// A Program is one of polyarch's binaries.
type Program struct {
	Name    string
	Called  string // how the user calls it, if not by its name; Main sets it
	Summary string // one line, no full stop
	Usage   string // the forms of the command line, one a line, without the name
	Details string // what a user has to know beyond the flags; may be empty
	Example string // command lines with a comment each

	Results []output.Spec
	Flags   func(*flagset.Set)
	Common  []string                       // the flags that most runs need, ten at most; help shows them first
	Values  map[string]func(*Env) []string // what a flag takes, for the completion of shells
	Run     func(context.Context, *Env) error
}

// An Env is all that a program sees of the world around it. A program calls
// neither os.Getenv nor os.Stdout, so a test can run it as a function.
type Env struct {
	Args    []string // before "--"
	Command []string // after "--"; nil if there was none

	Stdin  io.Reader
	Stdout io.Writer // for a result that is a stream; other results go through Write
	Stderr io.Writer // for a live line on a terminal; messages go through Log; what a CI system would obey is made inert
	Getenv func(string) string
	Log    *Log
	Flags  *flagset.Set

	Output output.Options

	holding atomic.Int32
}

// Environ returns the process's environment for a program it starts.
func (e *Env) Environ() []string { return os.Environ() }

// Write writes the results, as the output flags ask for.
func (e *Env) Write(r output.Report) error { return e.Output.Write(r, e.World()) }

// World is what the output flags work on.
func (e *Env) World() output.World { return output.World{Getenv: e.Getenv, Stdout: e.Stdout} }

// Hold keeps a signal from ending the program while a step lasts that must be
// finished or undone; call the function it returns afterwards. A second signal
// ends the program all the same.
func (e *Env) Hold() (release func()) {
	e.holding.Add(1)
	return func() { e.holding.Add(-1) }
}

const (
	// grace is how long the program may take to end after a signal.
	grace = 900 * time.Millisecond
	// maxHold bounds how long a step may hold it.
	maxHold = 150 * time.Second
	// memory is where the garbage collector begins to save memory rather than time.
	memory = 192 << 20
)

// outlast waits, after a signal, until the program has had its time to end. It
// reports whether that cut a step off that had to be finished.
func (e *Env) outlast(again <-chan os.Signal) (cutOff bool) {
	caught := time.Now()
	free := caught
	for {
		select {
		case <-again:
			return e.holding.Load() > 0
		case <-time.After(20 * time.Millisecond):
		}
		switch now := time.Now(); {
		case now.Sub(caught) > maxHold:
			return true
		case e.holding.Load() > 0:
			free = now
		case now.Sub(free) > grace:
			return false
		}
	}
}

// calledAs returns how a user calls a program that is a plugin of kubectl:
// kubectl-detect_arch is kubectl detect-arch. It returns "" for any other.
// https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/#naming-a-plugin
func calledAs(path string) string {
	name, plugin := strings.CutPrefix(strings.TrimSuffix(filepath.Base(path), ".exe"), "kubectl-")
	if !plugin {
		return ""
	}
	return "kubectl " + strings.ReplaceAll(strings.ReplaceAll(name, "-", " "), "_", "-")
}

// Main runs p as this process and returns its exit code.
func Main(p Program) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	p.Called = calledAs(os.Args[0])
	e := &Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory)
	}
	log.SetOutput(io.Discard) // net/http says there what no user can use: "Unsolicited response received on idle HTTP channel"
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(s) { // as nohup has it
			signal.Notify(signals, s)
		}
	}
	defer signal.Stop(signals)
	end := func(why string, code exit.Code, again <-chan os.Signal) {
		if e.outlast(again) {
			why += "; what had to be finished was cut off: look at what it has changed"
		}
		fmt.Fprintf(os.Stderr, "%s: error: %s\n", p.Name, why)
		os.Exit(int(code))
	}
	go func() {
		caught := stopped{<-signals}
		cancel(caught)
		end(caught.Error(), caught.code(), signals)
	}()
	ctx = exit.Enforced(ctx, func(limit error) {
		end(limit.Error()+", by something that nothing interrupts; was it a pipe that nobody opened?", exit.Unreachable, nil)
	})
	return int(p.Exec(ctx, e, os.Args[1:]))
}

// A stopped is the cause of a context that a signal ended.
type stopped struct{ signal os.Signal }

func (s stopped) Error() string { return "stopped by a signal: " + s.signal.String() }

// code follows the shell's convention: 128 and the signal's number.
func (s stopped) code() exit.Code {
	if n, ok := s.signal.(syscall.Signal); ok {
		return exit.Code(128 + n)
	}
	return exit.Failed
}

// Exec runs p with the given arguments and returns its exit code.
func (p Program) Exec(ctx context.Context, e *Env, argv []string) exit.Code {
	var on switches
	e.Log = &Log{w: e.Stderr, raw: e.Stderr, name: p.Name}
	fs := flagset.New(p.Name)
	e.Flags = fs
	p.flags(e, fs, &on)
	var err error
	e.Args, e.Command, err = fs.Parse(argv)
	e.Log.quiet, e.Log.debug = on.quiet, on.verbose && !on.quiet
	if c := e.Output.Console(e.World()); c != nil {
		filter := output.NewFilter(e.Stderr, c)
		defer filter.Flush()
		e.Stderr, e.Log.w, e.Log.console = filter, filter, c
	}
	switch {
	case errors.Is(err, flagset.ErrHelp) || on.help:
		return p.help(e, fs)
	case err == nil && on.completion != "":
		err = p.complete(e, on.completion)
	case on.version:
		_, err = io.WriteString(e.Stdout, p.Name+" "+versionLine()+"\n")
	case err == nil && on.install != "":
		err = install(on.install)
	case err == nil:
		err = e.Output.Check(p.Results, e.World())
		if err == nil {
			err = p.Run(ctx, e)
		}
	}
	if err == nil {
		return exit.OK
	}
	var sig stopped
	if errors.As(context.Cause(ctx), &sig) {
		said := len(exit.HintsOf(err)) > 0 // a step that was held has something to say
		if own := (stopped{}); !said || !errors.As(err, &own) {
			e.Log.err(sig)
		}
		if said {
			e.Log.err(err)
		}
		return sig.code()
	}
	e.Log.err(err)
	code := exit.CodeOf(err)
	if code == exit.Usage {
		e.Log.Hintf("%s --help lists the flags and shows examples", cmp.Or(p.Called, p.Name))
	}
	return code
}

// switches are the flags that every program has.
type switches struct {
	quiet, verbose, version, help bool
	install, completion           string
}

// flags defines all flags of p.
func (p Program) flags(e *Env, fs *flagset.Set, on *switches) {
	p.Flags(fs)
	e.Output.Register(fs)
	fs.Group("Other")
	fs.Bool(&on.quiet, "quiet", false, "print warnings and errors only")
	fs.Bool(&on.verbose, "verbose", false, "print more about what is done and why")
	fs.Bool(&on.version, "version", false, "print the version and exit")
	fs.Bool(&on.help, "help", false, "print this help and exit; with --json, print the flags and results as JSON")
	fs.String(&on.completion, "completion", "", "print the completion script for `SHELL` (bash, zsh or fish) and exit")
	fs.String(&on.install, "install", "", "copy this program to `PATH` and exit, for a step that runs it in another image")
}

func (p Program) help(e *Env, fs *flagset.Set) exit.Code {
	s := p.Help(fs)
	if e.Output.JSON {
		s = p.helpJSON(fs)
	}
	if _, err := io.WriteString(e.Stdout, s); err != nil {
		return exit.Failed
	}
	return exit.OK
}

// NoArgs is the error of a program that takes no arguments but got some.
func (e *Env) NoArgs() error {
	if e.Command != nil {
		return exit.Usagef("it takes no command after --")
	}
	if len(e.Args) > 0 {
		return exit.Usagef("it takes no arguments, and got %s", strings.Join(e.Args, " "))
	}
	return nil
}

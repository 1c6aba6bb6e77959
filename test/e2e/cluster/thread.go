package cluster

import (
	"errors"
	"runtime"
	"sync"
)

// A thread is one operating-system thread that runs functions, one after the other. Two things
// need one that stays: the kernel sends a child its parent-death signal when the *thread* that
// started it ends, and a network namespace is a thread's.
type thread struct {
	work  chan func()
	ended chan struct{}
}

func newThread() *thread {
	t := &thread{work: make(chan func()), ended: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		for {
			select {
			case f := <-t.work:
				f()
			case <-t.ended:
				return
			}
		}
	}()
	return t
}

// do runs f on the thread and returns its error.
func (t *thread) do(f func() error) error {
	done := make(chan error, 1)
	select {
	case t.work <- func() { done <- f() }:
		return <-done
	case <-t.ended:
		return errors.New("the cluster has been stopped")
	}
}

// end is called once.
func (t *thread) end() { close(t.ended) }

// hostThread lives as long as the process, in the machine's own namespaces.
var hostThread = sync.OnceValue(newThread)

package cluster

import (
	"runtime"
	"sync"
)

// A thread is one operating-system thread that runs functions, one after the other. Two things
// need one that stays: the kernel sends a child its parent-death signal when the *thread* that
// started it ends, and a network namespace is a thread's.
type thread chan func()

func newThread() thread {
	t := make(thread)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		for f := range t {
			f()
		}
	}()
	return t
}

// do runs f on the thread and gives its error.
func (t thread) do(f func() error) error {
	done := make(chan error)
	t <- func() { done <- f() }
	return <-done
}

// hostThread lives as long as the process, in the machine's own namespaces.
var hostThread = sync.OnceValue(newThread)

package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/progress"
	"github.com/polyarch/polyarch/internal/text"
)

// A watcher shows how far the stitching is: on a terminal a line for each
// image, elsewhere a line now and then while bytes are copied.
type watcher struct {
	env     *command.Env
	meter   *index.Meter
	started time.Time
	block   *progress.Block // nil: no terminal
	stop    chan struct{}
	stopped sync.WaitGroup

	mu   sync.Mutex
	held []string // messages that wait for the block to end
}

// plainInterval is how often a line says how far copies are where lines stay.
const plainInterval = 10 * time.Second

func watch(env *command.Env, meter *index.Meter) *watcher {
	w := &watcher{env: env, meter: meter, started: time.Now(), stop: make(chan struct{})}
	if width := progress.Terminal(env.Stderr, env.Getenv); width > 0 && !env.Log.Quiet() && !env.Log.Verbose() {
		w.block = progress.Start(env.Stderr, width, w.lines)
		return w
	}
	w.stopped.Go(func() {
		tick := time.NewTicker(plainInterval)
		defer tick.Stop()
		for {
			select {
			case <-w.stop:
				return
			case <-tick.C:
				if n, of := w.copied(); of > n {
					env.Log.Infof("%s", rate("copied", n, of, time.Since(w.started)))
				}
			}
		}
	})
	return w
}

// logf is for messages that come while lines change in place.
func (w *watcher) logf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.block == nil {
		w.env.Log.Infof(format, args...)
		return
	}
	w.held = append(w.held, fmt.Sprintf(format, args...))
}

// now is for a message that cannot wait: lines stop changing.
func (w *watcher) now(format string, args ...any) {
	w.settle()
	w.env.Log.Infof(format, args...)
}

// settle has lines change no more, so that others can follow them.
func (w *watcher) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.block != nil {
		w.block.Stop()
		w.block = nil
	}
}

// close ends the display, and says what was copied.
func (w *watcher) close() {
	close(w.stop)
	w.stopped.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.block != nil {
		w.block.Stop()
	}
	for _, m := range w.held {
		w.env.Log.Infof("%s", m)
	}
	if n, of := w.copied(); of > 0 && n >= of {
		w.env.Log.Infof("%s", rate("copied", n, of, time.Since(w.started)))
	}
}

func (w *watcher) copied() (n, of int64) {
	for _, r := range w.meter.Rows() {
		a, b := r.Copied()
		n, of = n+a, of+b
	}
	return n, of
}

// lines are what a terminal shows.
func (w *watcher) lines() []string {
	rows := w.meter.Rows()
	width := 0
	for _, r := range rows {
		name, _ := r.State()
		width = max(width, len(name))
	}
	var lines []string
	for _, r := range rows {
		name, state := r.State()
		line := fmt.Sprintf("%-*s  %s", width, name, state)
		if n, of := r.Copied(); of > 0 {
			line = fmt.Sprintf("%-*s  %s", width, name, rate(state, n, of, time.Since(w.started)))
		}
		lines = append(lines, line)
	}
	return lines
}

// rate returns "copied 120 of 412 MB, 41.3 MB/s".
func rate(what string, n, of int64, took time.Duration) string {
	s := fmt.Sprintf("%s %s of %s", what, text.Bytes(min(n, of)), text.Bytes(of))
	if n >= of {
		s = what + " " + text.Bytes(of)
	}
	return s + fmt.Sprintf(", %s/s", text.Bytes(int64(float64(n)/max(took.Seconds(), 0.001))))
}

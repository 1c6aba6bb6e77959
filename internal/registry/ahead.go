package registry

import (
	"io"
	"sync"
)

const (
	aheadBuffers = 3
	aheadSize    = 256 << 10
)

// ahead reads a source, and hashes it, while what came before is sent.
type ahead struct {
	src        io.ReadCloser
	full, free chan []byte
	stop       chan struct{}
	once       sync.Once
	done       chan struct{}

	current, rest []byte
	err           error // of the source; it may be read once full is closed
}

func readAhead(src io.ReadCloser) *ahead {
	a := &ahead{
		src: src, full: make(chan []byte, aheadBuffers), free: make(chan []byte, aheadBuffers),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	for range aheadBuffers {
		a.free <- make([]byte, aheadSize)
	}
	go a.run()
	return a
}

func (a *ahead) run() {
	defer close(a.done)
	defer close(a.full)
	for {
		select {
		case <-a.stop:
			return
		case b := <-a.free:
			n, err := a.src.Read(b)
			a.full <- b[:n] // there is room for all buffers
			if err != nil {
				a.err = err
				return
			}
		}
	}
}

func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.current != nil {
			a.free <- a.current[:cap(a.current)]
			a.current = nil
		}
		b, ok := <-a.full
		if !ok {
			if a.err == nil {
				return 0, io.ErrClosedPipe
			}
			return 0, a.err
		}
		a.current, a.rest = b, b
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// Close ends the reading, and waits for it.
func (a *ahead) Close() error {
	a.once.Do(func() { close(a.stop) })
	err := a.src.Close()
	<-a.done
	return err
}

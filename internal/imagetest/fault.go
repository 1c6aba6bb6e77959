package imagetest

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Fault is what goes wrong with some of a registry's answers.
type Fault struct {
	Kind  string // one of Faults
	First int    // the first request that it happens to, from 1
	Count int    // to how many in a row; 0: to all that follow
	Only  func(*http.Request) bool

	mu   sync.Mutex
	seen int
	hits int
}

// Transient are the kinds of faults that go away by themselves, so that trying
// again helps.
var Transient = []string{"429", "429 date", "500", "502", "503", "504", "refused", "lost", "truncated", "stalled", "silent", "expired", "done 504"}

// Hits returns how many requests it has happened to.
func (f *Fault) Hits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits
}

// On makes the registry misbehave.
func (f *Fault) On(g *Registry) {
	g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if f.Only != nil && !f.Only(r) {
			return false
		}
		f.mu.Lock()
		f.seen++
		hit := f.seen >= f.First && (f.Count == 0 || f.seen < f.First+f.Count)
		if hit {
			f.hits++
		}
		f.mu.Unlock()
		if hit {
			f.happen(g, w, r)
		}
		return hit
	}
}

func (f *Fault) happen(g *Registry, w http.ResponseWriter, r *http.Request) {
	switch kind, arg, _ := strings.Cut(f.Kind, " "); kind {
	case "429":
		after := "2"
		if arg == "date" {
			after = time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat)
		}
		w.Header().Set("Retry-After", after)
		writeError(w, 429, "TOOMANYREQUESTS", "slow down")
	case "refused": // the connection ends before anything is done
		panic(http.ErrAbortHandler)
	case "lost": // it is done, and the answer is lost
		g.Answer(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case "done": // it is done, and the answer is an error
		g.Answer(httptest.NewRecorder(), r)
		status, err := strconv.Atoi(arg)
		if err != nil {
			panic("no such fault: " + f.Kind)
		}
		writeError(w, status, "UNKNOWN", "made to fail")
	case "truncated", "stalled":
		a := httptest.NewRecorder()
		g.Answer(a, r)
		b := a.Body.Bytes()
		maps.Copy(w.Header(), a.Header())
		w.Header().Set("Content-Length", strconv.Itoa(len(b)+1)) // at least one byte is missing
		w.WriteHeader(a.Code)
		w.Write(b[:len(b)/2])
		http.NewResponseController(w).Flush()
		if kind == "stalled" {
			hang(r)
		}
		panic(http.ErrAbortHandler)
	case "silent": // nothing comes at all
		hang(r)
		panic(http.ErrAbortHandler)
	case "expired":
		g.Expire()
		g.Answer(w, r)
	default:
		status, err := strconv.Atoi(kind)
		if err != nil {
			panic("no such fault: " + f.Kind)
		}
		writeError(w, status, "UNKNOWN", "made to fail")
	}
}

// hang waits until the client has gone, or would have.
func hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(time.Minute):
	}
}

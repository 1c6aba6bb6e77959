package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/polyarch/polyarch/internal/imagetest"
)

// rate is how many requests a second the registry takes where it has a limit.
const rate = 20

// A server is a registry that is far away and may have a limit.
type server struct {
	host              string
	limited, slow     atomic.Bool
	requests, refused atomic.Int64

	mu     sync.Mutex
	tokens float64
	at     time.Time
}

func serve() (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{host: l.Addr().String()}
	h := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if s.slow.Load() {
			time.Sleep(50 * time.Millisecond)
		}
		if s.limited.Load() && !s.take() {
			s.refused.Add(1)
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		h.ServeHTTP(w, r)
	}))
	return s, nil
}

// begin prepares a run: the bucket is full.
func (s *server) begin(limited bool) {
	s.slow.Store(true)
	s.limited.Store(limited)
	s.requests.Store(0)
	s.refused.Store(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens, s.at = rate, time.Now()
}

func (s *server) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.tokens = min(rate, s.tokens+rate*now.Sub(s.at).Seconds())
	s.at = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// push stores the images: most are indexes that have the platform, some lack
// it, some are single images, for the platform or not. It returns which have it.
func (s *server) push() (map[string]string, error) {
	truth := map[string]string{}
	for n := range images {
		ref := s.name(n)
		app := func(p string) imagetest.Spec { return imagetest.App(p, imagetest.Arch(p), "x") }
		var err error
		switch {
		case n%40 == 1:
			truth[ref] = "yes"
			_, err = app("linux/arm64").Push(ref)
		case n%40 == 2:
			truth[ref] = "no"
			_, err = app("linux/amd64").Push(ref)
		case n%5 == 0:
			truth[ref] = "no"
			_, err = imagetest.PushIndex(ref, app("linux/amd64"), app("linux/s390x"))
		default:
			truth[ref] = "yes"
			_, err = imagetest.PushIndex(ref, app("linux/amd64"), app("linux/arm64"))
		}
		if err != nil {
			return nil, err
		}
	}
	return truth, nil
}

func (s *server) name(n int) string { return fmt.Sprintf("%s/team%d/app%d:1.0.%d", s.host, n%20, n, n) }

// writeCluster writes the workloads, and beside them what
// kubectl get … -o jsonpath='{.items[*].spec.template.spec.containers[*].image}'
// prints of them: the images of init containers are not in it.
func writeCluster(path, list, host string) error {
	s := &server{host: host}
	var items []any
	names, err := os.Create(list)
	if err != nil {
		return err
	}
	for n := 0; n < images; n++ {
		spec := map[string]any{"containers": []any{map[string]any{"name": "main", "image": s.name(n)}}}
		fmt.Fprintln(names, s.name(n))
		if n%50 == 49 && n+1 < images {
			n++
			spec["initContainers"] = []any{map[string]any{"name": "init", "image": s.name(n)}}
		}
		items = append(items, deployment(n, spec))
	}
	if err := names.Close(); err != nil {
		return err
	}
	b, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

func deployment(n int, spec any) map[string]any {
	labels := map[string]any{"app": fmt.Sprint("app", n)}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": fmt.Sprint("app", n), "namespace": fmt.Sprint("team", n%20)},
		"spec": map[string]any{"replicas": 2, "selector": map[string]any{"matchLabels": labels}, "template": map[string]any{"metadata": map[string]any{"labels": labels}, "spec": spec}},
	}
}

// writeBig writes a List of 100 MB as kubectl does.
func writeBig(path string) (size int64, workloads int, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, 0, err
	}
	w := bufio.NewWriter(f)
	n, _ := fmt.Fprint(w, "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n")
	size = int64(n)
	var env []any
	for k := range 60 {
		env = append(env, map[string]any{"name": fmt.Sprint("VARIABLE_", k), "value": fmt.Sprint("some value ", k)})
	}
	for ; size < 100e6; workloads++ {
		spec := map[string]any{"containers": []any{map[string]any{"name": "main", "image": fmt.Sprintf("registry.example/app%d:1", workloads%400), "env": env, "resources": map[string]any{"requests": map[string]any{"cpu": "100m", "memory": "128Mi"}}}}}
		b, err := json.MarshalIndent(deployment(workloads, spec), "        ", "    ")
		if err != nil {
			return 0, 0, err
		}
		comma := ",\n"
		if workloads == 0 {
			comma = ""
		}
		n, _ := fmt.Fprintf(w, "%s        %s", comma, b)
		size += int64(n)
	}
	fmt.Fprint(w, "\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\"resourceVersion\": \"\"}\n}\n")
	if err := w.Flush(); err != nil {
		return 0, 0, err
	}
	return size, workloads, f.Close()
}

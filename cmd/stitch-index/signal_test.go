package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/internal/imagetest"
)

// A SIGTERM at any request ends the program soon, with every tag right or
// every tag as it was, and with results if and only if it says that it is done.
func TestSIGTERMAtEveryRequest(t *testing.T) {
	program := programPath(t)
	for _, tags := range []string{"v1", "v1,v2"} {
		for n := 1; ; n++ {
			g := imagetest.NewRegistry()
			for _, p := range []string{"linux/amd64", "linux/arm64"} {
				if _, err := imagetest.App(p, imagetest.Arch(p), "text").Push("registry.test/app:"+imagetest.Arch(p), remote.WithTransport(g)); err != nil {
					t.Fatal(err)
				}
			}
			var seen atomic.Int64
			started, signalled := make(chan *os.Process, 1), make(chan time.Time, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if seen.Add(1) == int64(n) {
					(<-started).Signal(syscall.SIGTERM)
					signalled <- time.Now()
					time.Sleep(50 * time.Millisecond) // so that it arrives before the answer
				}
				g.ServeHTTP(w, r)
			}))
			host := strings.TrimPrefix(server.URL, "http://")
			result := filepath.Join(t.TempDir(), "digest")
			cmd := exec.Command(program, "--image", host+"/app", "--tag", tags, "--result", "image-digest="+result, host+"/app:amd64", host+"/app:arm64")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			started <- cmd.Process
			err := cmd.Wait()
			server.Close()
			moved := 0
			for _, tag := range strings.Split(tags, ",") {
				if g.Tag("app", tag) != "" {
					moved++
				}
			}
			_, missing := os.Stat(result)
			code := cmd.ProcessState.ExitCode()
			select {
			case at := <-signalled:
				if took := time.Since(at); took > 5*time.Second {
					t.Errorf("%s, request %d: it ended %s after the signal", tags, n, took)
				}
			default:
				if err != nil || moved != strings.Count(tags, ",")+1 {
					t.Errorf("%s without a signal: %v\n%s", tags, err, stderr.String())
				}
				n = -1
			}
			switch {
			case n < 0:
			case code == 0 && (moved != strings.Count(tags, ",")+1 || missing != nil):
				t.Errorf("%s, request %d: done, with %d tags moved, result: %v", tags, n, moved, missing)
			case code == 143 && (moved != 0 || missing == nil || stdout.Len() > 0):
				t.Errorf("%s, request %d: stopped, with %d tags moved, result: %v, standard output %q", tags, n, moved, missing, stdout.String())
			case code != 0 && code != 143:
				t.Errorf("%s, request %d: exit code %d\n%s", tags, n, code, stderr.String())
			}
			if n < 0 {
				break
			}
		}
	}
}

// Where moving a tag takes longer than a program usually may after a signal,
// it is moved all the same, and a second signal ends that.
func TestSIGTERMWhileTagsMoveSlowly(t *testing.T) {
	program := programPath(t)
	for _, signals := range []int{1, 2} {
		g := imagetest.NewRegistry()
		if _, err := imagetest.App("linux/amd64", "amd64", "text").Push("registry.test/app:amd64", remote.WithTransport(g)); err != nil {
			t.Fatal(err)
		}
		moving := make(chan bool, 9)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut && !strings.Contains(r.URL.Path, "sha256:") {
				moving <- true
				if strings.HasSuffix(r.URL.Path, "v2") {
					time.Sleep(1500 * time.Millisecond)
				}
			}
			g.ServeHTTP(w, r)
		}))
		host := strings.TrimPrefix(server.URL, "http://")
		cmd := exec.Command(program, "--image", host+"/app", "--tag", "v1,v2", host+"/app:amd64")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-moving
		for range signals {
			cmd.Process.Signal(syscall.SIGTERM)
			time.Sleep(100 * time.Millisecond) // two at once are one to the kernel
		}
		cmd.Wait()
		server.Close()
		code, said := cmd.ProcessState.ExitCode(), stderr.String()
		switch {
		case signals == 1 && (code != 0 || g.Tag("app", "v1") == "" || g.Tag("app", "v1") != g.Tag("app", "v2") || !strings.Contains(said, "a second signal ends it at once")):
			t.Errorf("exit code %d, v1 is %q, v2 is %q\n%s", code, g.Tag("app", "v1"), g.Tag("app", "v2"), said)
		case signals == 2 && (code != 143 || !strings.Contains(said, "cut off")):
			t.Errorf("two signals: exit code %d\n%s", code, said)
		}
	}
}

// What a server sends on a connection that nobody uses is not told to users by
// net/http.
func TestUnsolicitedResponses(t *testing.T) {
	program := programPath(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		conn.Write([]byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\nHTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"))
		time.Sleep(50 * time.Millisecond)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	out, err := exec.Command(program, "--image", host+"/app", "--tag", "v1", "--wait", "2s", host+"/app:amd64").CombinedOutput()
	if err == nil || strings.Contains(string(out), "nsolicited") || !strings.Contains(string(out), "404") {
		t.Errorf("%v: %s", err, out)
	}
}

// A signal while a gate runs ends the gate and all that it started, and moves
// no tag.
func TestSignalsEndGates(t *testing.T) {
	program := programPath(t)
	g := imagetest.NewRegistry()
	if _, err := imagetest.App("linux/amd64", "amd64", "text").Push("registry.test/app:amd64", remote.WithTransport(g)); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	dir, tmp := t.TempDir(), t.TempDir()
	started, ended := filepath.Join(dir, "started"), filepath.Join(dir, "ended")
	cmd := exec.Command(program, "--image", host+"/app", "--tag", "v1", host+"/app:amd64", "--gate",
		`(trap 'touch "$ENDED"; exit 1' TERM; touch "$STARTED"; while :; do sleep 0.05; done) | cat`, "--gate", `touch "$ENDED-next"`)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "STARTED="+started, "ENDED="+ended)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	appears(started)
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	left, _ := os.ReadDir(tmp)
	_, err := os.Stat(ended)
	_, next := os.Stat(ended + "-next")
	if err != nil || next == nil || cmd.ProcessState.ExitCode() != 143 || len(left) > 0 || g.Tag("app", "v1") != "" || stdout.Len() > 0 {
		t.Errorf("exit code %d, the gate ended: %v, the next ran: %v, left %v, v1 is %q, standard output %q\n%s", cmd.ProcessState.ExitCode(), err == nil, next == nil, left, g.Tag("app", "v1"), stdout.String(), stderr.String())
	}
}

// appears waits for a file, a minute at most, for a slow machine.
func appears(file string) {
	for range 6000 {
		if _, err := os.Stat(file); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Whatever signal ends the program, its builds end with it, and its folder goes.
func TestSignalsEndBuilds(t *testing.T) {
	program := programPath(t)
	// Under nohup, or in a shell's background, some signals are ignored. A
	// program inherits that, but not that they are handled here.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
	defer signal.Stop(handled)
	for sig, code := range map[syscall.Signal]int{syscall.SIGHUP: 129, syscall.SIGINT: 130, syscall.SIGQUIT: 131, syscall.SIGTERM: 143} {
		dir, tmp := t.TempDir(), t.TempDir()
		started, ended := filepath.Join(dir, "started"), filepath.Join(dir, "ended")
		cmd := exec.Command(program, "--image", "127.0.0.1:1/app", "--tag", "v1", "--platform", "linux/arm64", "--", "sh", "-c",
			`trap 'touch "$1"; exit 1' TERM; touch "$0"; while :; do sleep 0.05; done`, started, ended)
		cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		appears(started)
		cmd.Process.Signal(sig)
		cmd.Wait()
		left, _ := os.ReadDir(tmp)
		if _, err := os.Stat(ended); err != nil || cmd.ProcessState.ExitCode() != code || len(left) > 0 {
			t.Errorf("%s: exit code %d, the build ended: %v, left %v\n%s", sig, cmd.ProcessState.ExitCode(), err == nil, left, stderr.String())
		}
	}
}

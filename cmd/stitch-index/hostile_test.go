package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A blobs is a registry that has bytes by their digest, and tags.
type blobs map[string][]byte

func (b blobs) add(body string) string {
	sum := sha256.Sum256([]byte(body))
	digest := "sha256:" + hex.EncodeToString(sum[:])
	b[digest] = []byte(body)
	return digest
}

func (b blobs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := b[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Write(body)
}

const (
	indexType  = "application/vnd.oci.image.index.v1+json"
	imageType  = "application/vnd.oci.image.manifest.v1+json"
	configType = "application/vnd.oci.image.config.v1+json"
)

func descriptor(mediaType, digest string, size int, more string) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d%s}`, mediaType, digest, size, more)
}

// An indexOf is the text of an index.
func indexOf(children ...string) string {
	return `{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[` + strings.Join(children, ",") + `]}`
}

// image adds an image with that config and returns how an index lists it.
func (b blobs) image(config, more string) string {
	c := b.add(config)
	body := `{"schemaVersion":2,"mediaType":"` + imageType + `","config":` + descriptor(configType, c, len(config), "") + `,"layers":[]}`
	return descriptor(imageType, b.add(body), len(body), more)
}

// inputs are what a stranger may have put where an image is. Each is a line in
// this table, costs little memory, and ends with an error that says why.
var inputs = map[string]struct {
	make func(b blobs) string // the manifest
	want string
}{
	"an index listed 12,000 times in indexes": {func(b blobs) string {
		config := `{"os":"linux","architecture":"amd64"}`
		inner := indexOf(b.image(config, ""))
		one := descriptor(indexType, b.add(inner), len(inner), "")
		outer := indexOf(strings.TrimSuffix(strings.Repeat(one+",", 12000), ","))
		two := descriptor(indexType, b.add(outer), len(outer), "")
		return indexOf(two, two)
	}, "more than 1000"},
	"20 images with configs of 3 MB": {func(b blobs) string { return bigConfigs(b, 20, `"`+strings.Repeat("a", 3<<20)+`"`) }, "more than 32 MiB"},
	"10 images with configs of 3 MB": {func(b blobs) string { return bigConfigs(b, 10, strings.TrimSuffix(strings.Repeat(`"",`, 1<<20), ",")) }, "more than 10000 words"},
	// which of the two bounds is met first depends on which config is read first
	"20 images with many variables": {func(b blobs) string { return bigConfigs(b, 20, strings.TrimSuffix(strings.Repeat(`"",`, 1<<20), ",")) }, "more than "},
	"a manifest of empty layers": {func(b blobs) string {
		return `{"schemaVersion":2,"mediaType":"` + imageType + `","config":{},"layers":[` + strings.TrimSuffix(strings.Repeat(`{},`, 1<<20), ",") + `]}`
	}, "more than 1000 layers"},
	"a manifest that is longer than allowed": {func(b blobs) string { return indexOf(strings.Repeat(" ", 5<<20)) }, "longer than allowed"},
	"annotations without end": {func(b blobs) string {
		var s strings.Builder
		for n := range 100_000 {
			fmt.Fprintf(&s, `"%x":"",`, n)
		}
		return `{"schemaVersion":2,"mediaType":"` + indexType + `","annotations":{` + strings.TrimSuffix(s.String(), ",") + `},"manifests":[]}`
	}, "no image to run"},
	"arrays in arrays": {func(b blobs) string { return indexOf(strings.Repeat("[", 1<<20)) }, "not a manifest"},
	"a config of arrays in arrays": {func(b blobs) string {
		return indexOf(b.image(`{"os":"linux","architecture":"amd64","rootfs":`+strings.Repeat("[", 1<<20)+strings.Repeat("]", 1<<20)+`}`, ""))
	}, "config"},
	"indexes nested without end": {func(b blobs) string {
		s := indexOf()
		for range 50 {
			s = indexOf(descriptor(indexType, b.add(s), len(s), ""))
		}
		return s
	}, "nested more than 4 deep"},
	"a config that is said to be huge": {func(b blobs) string {
		config := b.add("{}")
		return `{"schemaVersion":2,"mediaType":"` + imageType + `","config":` + descriptor(configType, config, 1<<40, "") + `,"layers":[]}`
	}, "more than 32 MiB"},
}

// bigConfigs makes an index of n images with these variables.
func bigConfigs(b blobs, n int, env string) string {
	var all []string
	for i := range n {
		all = append(all, b.image(fmt.Sprintf(`{"os":"linux","architecture":"amd64","created":"%d","config":{"Env":[%s]}}`, i, env), ""))
	}
	return indexOf(all...)
}

const maxResident = 256 << 20

// programPath finds this program: the test binary under its name, which
// testscript.Main has put on the path, or else one that is built.
func programPath(t *testing.T) string {
	t.Helper()
	// Else the race detector holds a program up when it exits, longer than one
	// may take after a signal.
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	if program, err := exec.LookPath("stitch-index"); err == nil {
		return program
	}
	program := filepath.Join(t.TempDir(), "stitch-index")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// watchMemory follows how much memory a process has had at most; what wait
// says of it counts the memory of the process that started it.
func watchMemory(pid int) (peak func() int64) {
	stop, done := make(chan bool), make(chan int64)
	go func() {
		most := int64(0)
		for {
			b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if _, after, ok := strings.Cut(string(b), "VmHWM:"); ok {
				var kb int64
				fmt.Sscan(after, &kb)
				most = max(most, kb<<10)
			}
			select {
			case <-stop:
				done <- most
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(stop); return <-done }
}

// raced reports whether the race detector is in this program, which is the one
// under test too.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func TestMemoryIsBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	if raced() {
		t.Skip("the race detector takes several times the memory")
	}
	program := programPath(t)
	for name, input := range inputs {
		b := blobs{}
		b["v1"] = []byte(input.make(b))
		server := httptest.NewServer(b)
		host := strings.TrimPrefix(server.URL, "http://")
		cmd := exec.Command(program, "--image", host+"/app", "--tag", "new", "--dry-run", "--timeout", "5m", host+"/app:v1")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		started := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		peak := watchMemory(cmd.Process.Pid)
		err := cmd.Wait()
		resident := peak()
		server.Close()
		if err == nil || !strings.Contains(stderr.String(), input.want) || resident > maxResident {
			t.Errorf("%s: %v, %d MB resident: %.500s", name, err, resident>>20, stderr.String())
		}
		t.Logf("%s: %d MB resident, %s", name, resident>>20, time.Since(started).Round(time.Millisecond))
	}
}

// What never ends ends with the time limit, and with a signal, within a second.
func TestWhatNeverEnds(t *testing.T) {
	program := programPath(t)
	drip := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte(" ")); err != nil {
				return
			}
			http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a manifest that drips":     drip,
		"an error that drips":       func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403); drip(w, r) },
		"an answer that is awaited": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a token that drips": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				drip(w, r)
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token"`)
			w.WriteHeader(401)
		},
	} {
		for _, signalled := range []bool{false, true} {
			reached := make(chan bool, 1000)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reached <- true
				answer(w, r)
			}))
			host := strings.TrimPrefix(server.URL, "http://")
			timeout := 500 * time.Millisecond
			if signalled {
				timeout = time.Minute
			}
			cmd := exec.Command(program, "--image", host+"/app", "--tag", "new", "--dry-run", "--timeout", timeout.String(), host+"/app:v1")
			started := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-reached
			if signalled {
				started = time.Now()
				cmd.Process.Signal(syscall.SIGTERM)
				timeout = 0
			}
			err := cmd.Wait()
			server.CloseClientConnections()
			server.Close()
			if took := time.Since(started); err == nil || took > timeout+5*time.Second { // a second, on a machine that is not busy
				t.Errorf("%s, signalled: %v: %v after %s", name, signalled, err, took)
			}
		}
	}
}

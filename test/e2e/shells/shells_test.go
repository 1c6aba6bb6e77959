// Package shells completes command lines in real shells, by their Tab key.
package shells

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A shell is started without the user's settings, and told what is to be typed.
type shell struct {
	argv  []string
	setup string
}

var shells = map[string]shell{
	"bash": {[]string{"bash", "--norc", "--noprofile", "-i"}, `eval "$(%[1]s --completion bash)"`},
	"zsh":  {[]string{"zsh", "-f", "-i"}, `autoload -U compinit; compinit -u -D; eval "$(%[1]s --completion zsh)"`},
	"fish": {[]string{"fish", "--no-config", "-i"}, `%[1]s --completion fish | source`},
}

func TestTab(t *testing.T) {
	bin := t.TempDir()
	for _, b := range []string{"stitch-index", "detect-arch"} {
		build := exec.Command("go", "build", "-o", filepath.Join(bin, "real", b), "./cmd/"+b)
		build.Dir = filepath.Join("..", "..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", b, err, out)
		}
		// what the shell runs: it completes for real, and else says what it was given
		script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" != --completion ] || exec %q \"$@\"\nprintf '%%s\\n' \"$*\" > \"$SAID.new\" && mv \"$SAID.new\" \"$SAID\"\n", filepath.Join(bin, "real", b))
		if err := os.WriteFile(filepath.Join(bin, b), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range shells {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Fatalf("%v: hack/install-e2e.sh installs it", err)
			}
			work := t.TempDir()
			for path, text := range map[string]string{
				"Dockerfile.arm": "",
				"kubeconfig":     "apiVersion: v1\nkind: Config\ncontexts:\n- {name: prod-eu, context: {cluster: a, user: a}}\n- {name: staging, context: {cluster: a, user: a}}\n",
			} {
				if err := os.WriteFile(filepath.Join(work, path), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for typed, want := range map[string]string{
				"stitch-index --no-sti\t--keep-g\t":                    "--no-stitch --keep-going",
				"stitch-index --platform linux/amd64,linux/s39\t":      "--platform linux/amd64,linux/s390x",
				"stitch-index --platform=linux/s39\t":                  "--platform=linux/s390x",
				"stitch-index --builder kan\t":                         "--builder kaniko",
				"stitch-index --dockerfile Dockerfile.a\t":             "--dockerfile Dockerfile.arm",
				"stitch-index --format dock\t":                         "--format docker",
				"detect-arch --kubeconfig kubeconfig --context prod\t": "--kubeconfig kubeconfig --context prod-eu",
			} {
				said := filepath.Join(t.TempDir(), "said")
				command, _, _ := strings.Cut(typed, " ")
				p := start(t, work, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "SAID="+said, "HOME="+work, "TERM=xterm", "XDG_CONFIG_HOME="+work, "XDG_DATA_HOME="+work), s.argv)
				p.write(t, fmt.Sprintf(s.setup, command)+"\r")
				p.write(t, typed+"\r")
				p.write(t, "exit\r")
				if shown := p.wait(); strings.TrimSpace(read(said)) != want {
					t.Errorf("%q became %q, want %q\n%q", typed, read(said), want, shown)
				}
			}
		})
	}
}

func read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// A terminal has a shell in it.
type terminal struct {
	cmd  *exec.Cmd
	ptmx *os.File
	done chan string
}

func start(t *testing.T, dir string, env, argv []string) *terminal {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ptmx.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ptmx.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(ptmx.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 200})
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &terminal{cmd, ptmx, make(chan string, 1)}
	go func() {
		var all []byte
		buf := make([]byte, 4096)
		for {
			n, err := ptmx.Read(buf)
			all = append(all, buf[:n]...)
			if err != nil { // EIO: the shell has closed its end
				p.done <- string(all)
				return
			}
		}
	}()
	return p
}

func (p *terminal) write(t *testing.T, keys string) {
	t.Helper()
	if _, err := p.ptmx.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// wait waits for the shell to exit, two minutes at most, and returns what it showed.
func (p *terminal) wait() string {
	timer := time.AfterFunc(2*time.Minute, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	p.cmd.Wait()
	defer p.ptmx.Close()
	select {
	case s := <-p.done:
		return s
	case <-time.After(10 * time.Second):
		return "(the terminal stays open)"
	}
}

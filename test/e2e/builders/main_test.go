package builders

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// insideVariable holds, in the namespaces, what was prepared outside, where there is a network.
const insideVariable = "POLYARCH_E2E_BUILDERS"

// prepared are paths on this machine.
type prepared struct {
	Bin     string            // folder with stitch-index
	Tools   map[string]string // program → executable
	Busybox map[string]string // architecture → static busybox
	Golang  string            // layer of an image with a Go compiler, a compressed tar
	GoCache string            // of the go command
	Scripts string            // folder with BuildKit's examples
	Maven   string            // repository of Maven
	Java    map[string]string // architecture → layer of an image with Java

	Lifecycle, Launcher map[string]string // architecture → executable
	LifecycleVersion    string
}

var inside prepared

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "gcloud" {
		if err := cloudBuild(os.Args); err != nil {
			fmt.Fprintln(os.Stderr, "ERROR:", err)
			os.Exit(1)
		}
		return
	}
	if s := os.Getenv(insideVariable); s != "" {
		if err := json.Unmarshal([]byte(s), &inside); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(within(m))
	}
	if err := enter(); err != nil {
		fmt.Fprintln(os.Stderr, "builders:", err)
		os.Exit(1)
	}
}

// enter prepares what needs the network and becomes the same program in namespaces of its own.
func enter() error {
	if os.Geteuid() != 0 || runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		return fmt.Errorf("these tests need root on linux/amd64")
	}
	ctx, cancel := context.WithCancel(context.Background()) // what is compiled first takes as long as it takes: go test has a time limit
	defer cancel()
	p, err := prepare(ctx)
	if err != nil {
		return err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	// When the first process of the PID namespace ends, the kernel ends all others.
	argv := append([]string{"unshare", "--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}, os.Args...)
	return syscall.Exec(unshare, argv, append(os.Environ(), insideVariable+"="+string(b)))
}

func prepare(ctx context.Context) (*prepared, error) {
	logf := func(format string, args ...any) { fmt.Fprintf(os.Stderr, "    "+format+"\n", args...) }
	p := &prepared{Tools: map[string]string{}, Busybox: map[string]string{}, Java: map[string]string{}, Lifecycle: map[string]string{}, Launcher: map[string]string{}}
	for _, t := range []tool.Program{tool.Buildkitd, tool.Buildctl, tool.Buildx, tool.Ko, tool.Kaniko, tool.Pack} {
		path, err := t.Build(ctx, logf)
		if err != nil {
			return nil, err
		}
		p.Tools[t.Name] = path
	}
	for _, arch := range []string{"amd64", "arm64"} {
		root, err := tool.Debian(ctx, logf, arch, "busybox-static")
		if err != nil {
			return nil, err
		}
		p.Busybox[arch] = filepath.Join(root, "bin/busybox")
		if p.Java[arch], err = javaLayer(ctx, logf, arch); err != nil {
			return nil, err
		}
		if p.Lifecycle[arch], err = tool.Lifecycle(arch).Build(ctx, logf); err != nil {
			return nil, err
		}
		if p.Launcher[arch], err = tool.Launcher(arch).Build(ctx, logf); err != nil {
			return nil, err
		}
	}
	var err error
	if p.LifecycleVersion, err = pinned(tool.Lifecycle("amd64"))(); err != nil {
		return nil, err
	}
	if p.Maven, err = mavenRepository(ctx, logf); err != nil {
		return nil, err
	}
	if p.Golang, err = golang(ctx, logf); err != nil {
		return nil, err
	}
	if p.GoCache, err = output(ctx, "", "go", "env", "GOCACHE"); err != nil {
		return nil, err
	}
	if p.Scripts, err = output(ctx, filepath.Join(tool.ToolsDir(), "buildkit"), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/buildkit"); err != nil {
		return nil, err
	}
	p.Scripts = filepath.Join(p.Scripts, "examples/buildctl-daemonless")
	if p.Bin, err = os.MkdirTemp("", "polyarch-builders-"); err != nil {
		return nil, err
	}
	_, err = output(ctx, root(), "go", "build", "-o", p.Bin, "./cmd/stitch-index")
	return p, err
}

// root is the folder of the repository.
func root() string { return filepath.Join(tool.ToolsDir(), "../../..") }

// output runs a command and returns what it prints, without the line break.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		err = fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("running %s: %w", cmd, err)
	}
	for len(out) > 0 && out[len(out)-1] == '\n' {
		out = out[:len(out)-1]
	}
	return string(out), nil
}

// within runs the tests in the namespaces.
func within(m *testing.M) int {
	defer os.RemoveAll(inside.Bin)
	groups := controlGroups()
	defer func() {
		for _, dir := range controlGroups() {
			if !slices.Contains(groups, dir) {
				removeGroups(dir)
			}
		}
	}()
	if err := furnish(); err != nil {
		fmt.Fprintln(os.Stderr, "builders:", err)
		return 1
	}
	code := m.Run()
	unregister()
	endDaemons()
	return code
}

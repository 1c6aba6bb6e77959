// Longer than 350 lines: one lab that all builders share.

package builders

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/polyarch/polyarch/test/e2e/cluster"
)

const (
	lab      = "/mnt" // in memory, and gone with the mount namespace
	registry = "127.0.0.1:5000"

	binfmt = "/proc/sys/fs/binfmt_misc"
	rules  = "/usr/lib/binfmt.d/qemu-aarch64.conf" // of Debian's qemu-user-static
)

// furnish makes the namespaces a place to work in: a loopback interface, folders, a registry.
func furnish() error {
	script := `
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 lab ` + lab + `
mount -t tmpfs -o mode=755 run /run
mountpoint -q ` + binfmt + ` || mount -t binfmt_misc binfmt_misc ` + binfmt + `
ip link set lo up
cd ` + lab + `
mkdir bin home registry docker-config
cat >registry.yml <<Y
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ` + lab + `/registry}}
http: {addr: ` + registry + `}
Y
cat >storage.conf <<S
[storage]
driver = "overlay"
graphroot = "` + lab + `/buildah"
runroot = "/run/buildah"
S
cat >registries.conf <<S
[[registry]]
location = "` + registry + `"
insecure = true
S
cat >buildkitd.toml <<S
root = "` + lab + `/buildkit"
[grpc]
  address = ["unix:///run/buildkit/buildkitd.sock"]
[worker.oci]
  enabled = true
  snapshotter = "overlayfs"
  binary = "runc"
  networkMode = "host"
[worker.containerd]
  enabled = false
[registry."` + registry + `"]
  http = true
S
`
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		return fmt.Errorf("furnishing the namespaces: %w\n%s", err, out)
	}
	for name, path := range inside.Tools {
		if err := os.Symlink(path, filepath.Join(lab, "bin", name)); err != nil {
			return err
		}
	}
	for name, path := range map[string]string{"stitch-index": filepath.Join(inside.Bin, "stitch-index"), "buildctl-daemonless.sh": filepath.Join(lab, "daemonless")} {
		if err := os.Symlink(path, filepath.Join(lab, "bin", name)); err != nil {
			return err
		}
	}
	script = filepath.Join(inside.Scripts, "buildctl-daemonless.sh") // a module's files cannot be executed
	if err := copyFile(script, filepath.Join(lab, "daemonless")); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(lab, "daemonless"), 0o755); err != nil {
		return err
	}
	if err := daemon("docker-registry", func() error { return dial("tcp", registry) }, "docker-registry", "serve", lab+"/registry.yml"); err != nil {
		return err
	}
	if err := startSecure(); err != nil {
		return err
	}
	return pushBases()
}

// environ is what stitch-index and daemons run with; all of it is in the lab.
func environ(more ...string) []string {
	return append([]string{
		"PATH=" + lab + "/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin",
		"HOME=" + lab + "/home", "TMPDIR=/tmp", "LANG=C.UTF-8",
		"DOCKER_CONFIG=" + lab + "/docker-config", "BUILDX_CONFIG=" + lab + "/buildx",
		"CONTAINERS_STORAGE_CONF=" + lab + "/storage.conf", "CONTAINERS_REGISTRIES_CONF=" + lab + "/registries.conf",
		"BUILDAH_ISOLATION=chroot", "BUILDAH_RUNTIME=runc",
		"GOCACHE=" + inside.GoCache, "GOFLAGS=", "GOPROXY=off", "GOTOOLCHAIN=local", "GOWORK=off",
	}, more...)
}

var daemons []*exec.Cmd

// endDaemons lets daemons stop the containers that they may have started.
func endDaemons() {
	for _, d := range daemons {
		d.Process.Signal(syscall.SIGTERM)
	}
	for _, d := range daemons {
		for range 100 { // ten seconds at most; the kernel ends what is left
			if d.Process.Signal(syscall.Signal(0)) != nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// controlGroups are those of daemons, which outlive the namespaces.
func controlGroups() []string {
	var dirs []string
	for _, name := range []string{"buildkit", "docker"} {
		found, _ := filepath.Glob("/sys/fs/cgroup/*/" + name)
		dirs = append(dirs, found...)
	}
	return dirs
}

// removeGroups removes a control group and those in it; one that is in use stays.
func removeGroups(dir string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != dir {
			removeGroups(path)
			return fs.SkipDir
		}
		return nil
	})
	syscall.Rmdir(dir)
}

// daemon starts a program that ends with the namespaces, and waits until it answers.
func daemon(name string, answers func() error, argv ...string) error {
	log := filepath.Join(lab, name+".log")
	f, err := os.Create(log)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command("env", argv...)
	cmd.Env = environ()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := answers()
		if err == nil {
			daemons = append(daemons, cmd)
			return nil
		}
		select {
		case <-ended:
			err = errors.New("it ended")
		default:
			if time.Now().Before(deadline) {
				continue
			}
		}
		b, _ := os.ReadFile(log)
		return fmt.Errorf("starting %s: %w; it printed\n%s", name, err, b[max(0, len(b)-3000):])
	}
}

func dial(network, address string) error {
	c, err := net.DialTimeout(network, address, time.Second)
	if err == nil {
		c.Close()
	}
	return err
}

// pushBases puts the images into the registry that Dockerfiles start from: nothing can be pulled from
// anywhere else.
func pushBases() error {
	var busyboxes []cluster.Image
	for _, arch := range []string{"amd64", "arm64"} {
		busyboxes = append(busyboxes, cluster.Image{Arch: arch, Files: map[string]string{
			"/bin/busybox": inside.Busybox[arch], "/bin/sh": "-> busybox", "/bin/uname": "-> busybox",
		}, Entrypoint: []string{"/bin/sh"}})
	}
	index, err := cluster.Index(busyboxes...)
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(reference("base/busybox:1"), index); err != nil {
		return fmt.Errorf("pushing a base image: %w", err)
	}
	layer, err := tarball.LayerFromFile(inside.Golang, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	if err != nil {
		return err
	}
	busybox, err := index.IndexManifest()
	if err != nil {
		return err
	}
	shell, err := index.Image(busybox.Manifests[0].Digest) // amd64, for RUN's shell
	if err != nil {
		return err
	}
	layers, err := shell.Layers()
	if err != nil {
		return err
	}
	if image, err = mutate.AppendLayers(image, layers...); err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Config.Env = []string{"PATH=/usr/local/go/bin:/bin", "GOTOOLCHAIN=local", "HOME=/root"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return err
	}
	if err := remote.Write(reference("base/golang:1"), image); err != nil {
		return fmt.Errorf("pushing a base image: %w", err)
	}
	return nil
}

func reference(s string) name.Reference {
	ref, err := name.ParseReference(registry+"/"+s, name.Insecure)
	if err != nil {
		panic(err) // a constant of these tests
	}
	return ref
}

var registered string // the entry that we made, which nobody else needs

// emulated reports whether the kernel runs arm64 programs.
func emulated() bool {
	entries, _ := filepath.Glob(binfmt + "/*")
	for _, e := range entries {
		b, _ := os.ReadFile(e)
		if bytes.Contains(b, []byte("aarch64")) && bytes.HasPrefix(b, []byte("enabled")) {
			return true
		}
	}
	return false
}

// emulate has the kernel run arm64 programs by qemu-user. The entry is our own even if there is one: that may be of
// another suite on this machine, which takes it away when it ends.
func emulate(t *testing.T) {
	t.Helper()
	if registered != "" {
		return
	}
	b, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	_, rule, _ := strings.Cut(strings.TrimPrefix(strings.Split(string(b), "\n")[0], ":"), ":")
	entry := fmt.Sprintf("polyarch-%d", time.Now().UnixNano())
	if err := os.WriteFile(binfmt+"/register", []byte(":"+entry+":"+rule), 0o200); err != nil {
		t.Fatal(err)
	}
	registered = filepath.Join(binfmt, entry)
}

func unregister() {
	if registered != "" {
		os.WriteFile(registered, []byte("-1"), 0o200)
	}
}

// unpack makes a root folder of an image, for the time of the test.
func unpack(t *testing.T, image v1.Image) string {
	t.Helper()
	dir, err := os.MkdirTemp(lab, "rootfs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	rc := mutate.Extract(image)
	defer rc.Close()
	tar := exec.Command("tar", "-x", "-C", dir)
	tar.Stdin = rc
	if out, err := tar.CombinedOutput(); err != nil {
		t.Fatalf("unpacking an image: %v\n%s", err, out)
	}
	return dir
}

// start runs the program of an image in its root folder and returns what it prints.
func start(t *testing.T, image v1.Image, dir string) string {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	argv := append(config.Config.Entrypoint, config.Config.Cmd...)
	proc := filepath.Join(dir, "proc") // Java's launcher asks it where it is
	if err := os.MkdirAll(proc, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("proc", proc, "proc", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(proc, syscall.MNT_DETACH)
	cmd := &exec.Cmd{Path: program(dir, argv[0], config.Config.Env), Args: argv, Dir: "/", Env: config.Config.Env, SysProcAttr: &syscall.SysProcAttr{Chroot: dir}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("running %q: %v\n%s", argv, err, out)
	}
	return string(out)
}

// program is the path in a root folder of a program that is on its PATH.
func program(dir, name string, env []string) string {
	if filepath.IsAbs(name) {
		return name
	}
	for _, e := range env {
		if path, ok := strings.CutPrefix(e, "PATH="); ok {
			for _, folder := range filepath.SplitList(path) {
				if _, err := os.Stat(filepath.Join(dir, folder, name)); err == nil {
					return filepath.Join(folder, name)
				}
			}
		}
	}
	return name
}

package registries

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// command runs a client, which has to succeed.
func command(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// Clients that do not choose by compression pull the image with gzip layers out of
// an index that has another with zstd layers for the same platform: containerd, and
// buildah before containers/image 5.29, as Debian 12 has it.
func TestTwoCompressions(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("containerd needs root")
	}
	for _, program := range []string{"containerd", "ctr", "buildah"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	s := start(t, "distribution v3", t.TempDir(), "", [2]string{})
	images := map[string]v1.Image{
		"gzip": image(t, runtime.GOARCH),
		"zstd": imageOf(t, runtime.GOARCH, tarball.WithCompression(compression.ZStd), tarball.WithMediaType(types.OCILayerZStd)),
	}
	for tag, img := range images {
		ref, err := name.ParseReference(s.host + "/app:" + tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, img, remote.WithTransport(s.client)); err != nil {
			t.Fatal(err)
		}
	}
	both := s.host + "/app:both"
	newLab(t, "{}").must("--image", both, s.host+"/app:zstd", s.host+"/app:gzip")

	t.Run("containerd", func(t *testing.T) {
		dir := t.TempDir()
		socket := filepath.Join(dir, "containerd.sock")
		write(t, filepath.Join(dir, "config.toml"), fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n", dir+"/root", dir+"/state", socket))
		cmd := exec.Command("containerd", "--config", filepath.Join(dir, "config.toml"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		ctr := func(args ...string) []string { return append([]string{"ctr", "--address", socket}, args...) }
		answers := false
		for range 1200 { // a minute, for a slow machine
			if answers = exec.Command("ctr", "--address", socket, "--connect-timeout", "1s", "version").Run() == nil; answers {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if !answers {
			t.Fatal("containerd does not answer")
		}
		command(t, ctr("images", "pull", "--plain-http", "--snapshotter", "native", both)...)
		// ctr fetches all of a platform; what is unpacked, and so run, has a label that says
		// what it is without its compression
		content := command(t, ctr("content", "ls")...)
		for kind, img := range images {
			layers, err := img.Layers()
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range layers {
				d, err := l.Digest()
				if err != nil {
					t.Fatal(err)
				}
				unpacked := false
				for line := range strings.Lines(content) {
					unpacked = unpacked || strings.HasPrefix(line, d.String()) && strings.Contains(line, "containerd.io/uncompressed=")
				}
				if unpacked != (kind == "gzip") {
					t.Errorf("the %s layer %s is unpacked: %v\n%s", kind, d, unpacked, content)
				}
			}
		}
	})
	t.Run("buildah", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "policy.json"), `{"default":[{"type":"insecureAcceptAnything"}]}`)
		buildah := func(args ...string) []string {
			return append([]string{"buildah", "--root", dir + "/root", "--runroot", dir + "/run", "--storage-driver", "vfs"}, args...)
		}
		id := strings.TrimSpace(command(t, buildah("pull", "--quiet", "--tls-verify=false", "--signature-policy", dir+"/policy.json", both)...))
		got := command(t, buildah("inspect", "--type", "image", "--format", "{{.Manifest}}", id)...)
		if !strings.Contains(got, "tar+gzip") || strings.Contains(got, "zstd") {
			t.Errorf("buildah pulled %s", got)
		}
	})
}

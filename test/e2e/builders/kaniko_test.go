package builders

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// kanikoDir has kaniko's image with stitch-index added, and the root folders of its containers: kaniko deletes what is
// in its own.
const kanikoDir = lab + "/kaniko"

func kanikoImage(t *testing.T) {
	image := kanikoDir + "/image"
	for _, d := range []string{"kaniko/.docker", "kaniko/ssl/certs", "etc", "proc", "sys", "dev", "tmp", "root", "workspace"} {
		if err := os.MkdirAll(filepath.Join(image, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for to, from := range map[string]string{
		"kaniko/executor":                      inside.Tools[tool.Kaniko.Name],
		"kaniko/stitch-index":                  lab + "/bin/stitch-index",
		"kaniko/.docker/config.json":           lab + "/docker-config/config.json",
		"kaniko/ssl/certs/ca-certificates.crt": authorities,
		"etc/nsswitch.conf":                    "/etc/nsswitch.conf",
	} {
		if err := copyFile(from, filepath.Join(image, to)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, image+"/etc/hosts", "")
	write(t, image+"/etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\n")
	write(t, image+"/etc/group", "root:x:0:\n")
}

// inWorkspace names a Dockerfile as the container sees it.
func inWorkspace(name string) project {
	return project{args: []string{"--dockerfile", "/workspace/" + name}}
}

// inKaniko runs stitch-index as a container of that image does: on an overlay of its own, with the context mounted at
// /workspace. The mounts are gone with the process.
func inKaniko(t *testing.T, folder string, env, args []string) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp(kanikoDir, "container-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	script := fmt.Sprintf(`
set -e
cd %s
mkdir upper work root
mount -t overlay -o lowerdir=%s/image,upperdir=upper,workdir=work overlay root
mount -t proc proc root/proc
mount -t sysfs sysfs root/sys
mount --rbind /dev root/dev
mount --bind /etc/hosts root/etc/hosts
mount --bind -o ro %s root/workspace
exec env -i "$@"`, dir, kanikoDir, folder)
	argv := []string{"--mount", "sh", "-c", script, "kaniko",
		"HOME=/root", "USER=root", "PATH=/usr/local/bin:/kaniko", "SSL_CERT_DIR=/kaniko/ssl/certs", "DOCKER_CONFIG=/kaniko/.docker/"}
	for _, e := range env {
		if e == "DOCKER_CONFIG="+anonymous {
			e = "DOCKER_CONFIG=/kaniko"
		}
		argv = append(argv, e)
	}
	argv = append(argv, "/usr/sbin/chroot", "root", "/kaniko/stitch-index", "--context", "/workspace")
	cmd := exec.Command("unshare", append(argv, args...)...)
	cmd.Env = environ()
	return cmd
}

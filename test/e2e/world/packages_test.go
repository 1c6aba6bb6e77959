package world

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// asset is a file of the release.
func (w *world) asset(t *testing.T, name string) string {
	t.Helper()
	for _, a := range w.github.releases[0].Assets {
		if a.Name == name {
			return string(a.content)
		}
	}
	t.Fatalf("the release has no %s", name)
	return ""
}

// packages has dpkg and rpm install and remove what was published, each in a root
// of its own. Alpine's apk is not to be had where this runs: its package is
// unpacked, and says what it is.
func (w *world) packages(t *testing.T) {
	managers, err := tool.Debian(t.Context(), t.Logf, "amd64", "busybox-static", "dpkg", "libc-bin", "rpm")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ file, install, remove string }{
		"deb": {"polyarch.deb", "mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates; : > /var/lib/dpkg/status; dpkg --install /polyarch.deb", "dpkg --remove polyarch"},
		"rpm": {"polyarch.rpm", "rpm --initdb && rpm --install --force-debian /polyarch.rpm && rpm --verify --force-debian polyarch", "rpm --erase --force-debian polyarch"},
		"apk": {"polyarch.apk", "tar -xzf /polyarch.apk && grep -qx 'pkgname = polyarch' /.PKGINFO && grep -qx 'pkgver = " + strings.TrimPrefix(version, "v") + ".*' /.PKGINFO && grep -qx 'arch = x86_64' /.PKGINFO", ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "root")
			w.must(t, w.dir, "cp", "-a", managers, root)
			w.must(t, root, "chroot", root, "/bin/busybox", "--install", "-s", "/bin")
			for _, dir := range []string{"dev", "tmp", "root", "proc"} {
				if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			w.write(t, filepath.Join(root, "dev", "null"), "")
			w.write(t, filepath.Join(root, c.file), w.asset(t, "polyarch_"+version+"_linux_amd64."+name))
			run := func(command string) outcome {
				return w.run(t, root, nil, "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "chroot", root, "/bin/sh", "-c", command)
			}
			got := run(c.install + " && detect-arch --version && stitch-index --version && inject-affinity --version")
			for _, program := range []string{"detect-arch", "stitch-index", "inject-affinity"} {
				if got.code != 0 || !strings.Contains(got.out, program+" "+version+" (") {
					t.Errorf("%s: exit code %d\n%s", program, got.code, got.out)
				}
			}
			if c.remove == "" {
				return
			}
			if got = run(c.remove + " && ! command -v detect-arch stitch-index inject-affinity"); got.code != 0 {
				t.Errorf("removing it: exit code %d\n%s", got.code, got.out)
			}
		})
	}
}

// krew has kubectl's plugin manager install the plugin by the manifest, from
// where that says.
func (w *world) krew(t *testing.T) {
	dir := t.TempDir()
	manifest := w.write(t, filepath.Join(dir, "detect-arch.yaml"), w.asset(t, "detect-arch.yaml"))
	env := []string{"KREW_ROOT=" + filepath.Join(dir, "krew"), "PATH=" + filepath.Join(dir, "krew", "bin") + ":" + filepath.Dir(tool.Build(t, tool.Kubectl)) + ":" + os.Getenv("PATH")}
	if got := w.run(t, dir, env, tool.Build(t, tool.Krew), "install", "--manifest", manifest, "--no-update-index"); got.code != 0 {
		t.Fatalf("krew: exit code %d\n%s", got.code, got.out)
	}
	if got := w.run(t, dir, env, "kubectl", "detect-arch", "--version"); got.code != 0 || !strings.Contains(got.out, "detect-arch "+version+" (") {
		t.Errorf("kubectl detect-arch: exit code %d\n%s", got.code, got.out)
	}
}

var (
	sha256s  = regexp.MustCompile(`(?i)(?:sha256|InstallerSha256):? "?([0-9a-f]{64})`)
	archives = regexp.MustCompile(`https://github\.com/polyarch/polyarch/releases/download/[^\s"]+`)
)

// manifests for package managers that cannot run here name files that were
// published, by the checksums that these have.
func (w *world) manifests(t *testing.T) {
	sums := w.checksums(t)
	// GoReleaser's krew manifest has amd64 and arm64 alone.
	for manifest, n := range map[string]int{"polyarch.rb": 4, "polyarch.polyarch.installer.yaml": 2, "detect-arch.yaml": 6} {
		// the cask makes its addresses of its version
		text := strings.ReplaceAll(w.asset(t, manifest), "#{version}", strings.TrimPrefix(version, "v"))
		addresses, found := archives.FindAllString(text, -1), sha256s.FindAllStringSubmatch(text, -1)
		if len(addresses) != n || len(found) != n {
			t.Errorf("%s has %d addresses and %d checksums, want %d:\n%s", manifest, len(addresses), len(found), n, text)
			continue
		}
		named := map[string]bool{}
		for _, a := range addresses {
			file, ok := strings.CutPrefix(a, "https://github.com/polyarch/polyarch/releases/download/"+version+"/")
			if !ok || sums[file] == "" {
				t.Errorf("%s names %s, which was not published", manifest, a)
			}
			named[sums[file]] = true
		}
		for _, sum := range found {
			if !named[strings.ToLower(sum[1])] {
				t.Errorf("%s has the checksum %s, of none of its files", manifest, sum[1])
			}
		}
	}
}

// elsewhere are the repositories that the release is put into: Homebrew's tap,
// and the project on GitLab, whose pipeline fills the catalog of components.
func (w *world) elsewhere(t *testing.T) {
	cask := w.must(t, w.tap, "git", "show", "HEAD:Casks/polyarch.rb")
	if cask != w.asset(t, "polyarch.rb") {
		t.Errorf("the tap has another cask:\n%s", cask)
	}
	commit := w.must(t, w.origin, "git", "rev-parse", version)
	if got := w.must(t, w.mirror, "git", "rev-parse", version); got != commit {
		t.Errorf("GitLab has %s at %s, want %s", version, got, commit)
	}
}

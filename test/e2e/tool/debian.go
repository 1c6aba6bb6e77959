package tool

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Debian unpacks Debian packages and all that they depend on, for any architecture, into a folder of
// the user's cache and returns its path. No package's scripts are run, and the machine's own package
// state is left alone. Needs apt-get and dpkg.
func Debian(ctx context.Context, logf func(format string, args ...any), arch string, packages ...string) (string, error) {
	return DebianSuite(ctx, logf, "", arch, packages...)
}

// DebianSuite is Debian of a release, "trixie", whatever the machine's own is.
func DebianSuite(ctx context.Context, logf func(format string, args ...any), suite, arch string, packages ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("unpacking Debian packages: finding the cache folder: %w", err)
	}
	root := filepath.Join(cache, "polyarch", "debian-"+arch+"-"+strings.Join(packages, "-"))
	if suite != "" { // with a short name: file systems end names at 255 bytes
		sum := sha256.Sum256([]byte(strings.Join(packages, " ")))
		root = filepath.Join(cache, "polyarch", fmt.Sprintf("debian-%s-%s-%x", suite, arch, sum[:6]))
	}
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return "", fmt.Errorf("unpacking Debian packages: %w", err)
	}
	unlock, err := lock(root + ".lock")
	if err != nil {
		return "", fmt.Errorf("unpacking Debian packages: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	logf("unpacking %s of Debian for %s into %s", strings.Join(packages, ", "), arch, root)
	work, err := os.MkdirTemp(filepath.Dir(root), "debian-")
	if err != nil {
		return "", fmt.Errorf("unpacking Debian packages: %w", err)
	}
	defer os.RemoveAll(work)
	if err := unpack(ctx, work, suite, arch, packages); err != nil {
		return "", fmt.Errorf("unpacking Debian packages: %w", err)
	}
	return root, os.Rename(filepath.Join(work, "root"), root)
}

// unpack has apt check the packages' signatures, with its lists and archives in folders of work.
func unpack(ctx context.Context, work, suite, arch string, packages []string) error {
	script := `
set -e
mkdir -p state/lists/partial cache/archives/partial root
set -- -qq -o APT::Architecture="$ARCH" -o APT::Architectures="$ARCH" -o APT::Sandbox::User=root \
  -o Dir::State="$PWD/state" -o Dir::State::status=/dev/null -o Dir::Cache="$PWD/cache"
if [ -n "$SUITE" ]; then
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $SUITE main" >sources.list
  set -- "$@" -o Dir::Etc::sourcelist="$PWD/sources.list" -o Dir::Etc::sourceparts=/dev/null
fi
apt-get "$@" update
apt-get "$@" install --yes --no-install-recommends --download-only $PACKAGES
for deb in cache/archives/*.deb; do dpkg -x "$deb" root; done`
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "ARCH="+arch, "SUITE="+suite, "PACKAGES="+strings.Join(packages, " "))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running apt-get and dpkg: %w\n%s", err, out)
	}
	return nil
}

package programs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/polyarch/polyarch/internal/program"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// wheel is a program that is linked for musl, with its own libraries: PyPI has
// it, and it needs no distribution.
const wheel = "clang-format==16.0.6"

// muslRoot is a root file system with Debian's musl and the wheel, and nothing
// else, for amd64.
func muslRoot(ctx context.Context, logf func(string, ...any), work string) (string, error) {
	musl, err := tool.DebianSuite(ctx, logf, "bookworm", "amd64", "musl")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(work, "musl-root")
	script := `
set -e
mkdir -p "$WHEELS" "$ROOT"
ls "$WHEELS"/*.whl >/dev/null 2>&1 || python3 -m pip download -q --no-deps --only-binary=:all: \
  --platform musllinux_1_2_x86_64 --platform musllinux_1_1_x86_64 -d "$WHEELS" "$WHEEL"
python3 -m zipfile -e "$WHEELS"/*.whl "$ROOT/opt"
chmod +x "$ROOT/opt/clang_format/data/bin/clang-format"
mkdir -p "$ROOT/lib" && cp -a "$MUSL"/lib/. "$ROOT/lib/"
[ ! -d "$MUSL/usr/lib" ] || { mkdir -p "$ROOT/usr/lib" && cp -a "$MUSL"/usr/lib/. "$ROOT/usr/lib/"; }`
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Env = append(os.Environ(), "ROOT="+root, "MUSL="+musl, "WHEEL="+wheel, "WHEELS="+filepath.Join(cache, "polyarch", "wheel-"+strings.ReplaceAll(wheel, "==", "-")+"-musl-amd64"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpacking %s: %w\n%s", wheel, err, out)
	}
	return root, nil
}

// musl breaks a program that musl's loader loads, and hands it one for glibc.
func (s *set) musl(glibc *base) (all []testCase, err error) {
	app := "/opt/clang_format/data/bin/clang-format"
	if all, err = s.cases([][]string{{app, "--version"}}); err != nil {
		return nil, err
	}
	add := func(rule, name string, argv []string, files []file, env ...string) {
		all = append(all, testCase{rule: rule, on: s.platform, name: "musl: " + name, base: s.base, files: files, start: program.Start{Entrypoint: argv, Env: env}})
	}
	argv := []string{app, "--version"}
	const list = "etc/ld-musl-x86_64.path"
	var lib file
	for _, f := range []string{"libstdc++.so.6", "libgcc_s.so.1"} {
		found, _ := filepath.Glob(filepath.Join(s.base.dir, "opt/clang_format.libs", strings.TrimSuffix(f, filepath.Ext(f))[:6]+"*"))
		for _, p := range found {
			if lib, err = copied(p, "/srv/"+filepath.Base(p), 0o755); err != nil {
				return nil, err
			}
			rel := strings.TrimPrefix(p, s.base.dir)
			at := lib
			add("a library moved", filepath.Base(p)+" nowhere", argv, []file{gone(rel), at})
			add("right", filepath.Base(p)+" to LD_LIBRARY_PATH", argv, []file{gone(rel), at}, "LD_LIBRARY_PATH=/srv")
			add("right", filepath.Base(p)+" to a folder of "+list, argv, []file{gone(rel), at, {Name: list, Body: "/lib\n/srv\n"}})
			at.Name = "usr/local/lib/" + filepath.Base(p)
			add("right", filepath.Base(p)+" to /usr/local/lib", argv, []file{gone(rel), at})
			add("a library moved", filepath.Base(p)+" to /usr/local/lib, which "+list+" leaves out", argv, []file{gone(rel), at, {Name: list, Body: "/lib\n"}})
			add("a library empty", "an empty one comes first", argv, []file{{Name: "srv/" + filepath.Base(p)}}, "LD_LIBRARY_PATH=/srv")
		}
	}
	ls, err := copied(filepath.Join(glibc.dir, "bin/ls"), "/bin/ls", 0o755)
	if err != nil {
		return nil, err
	}
	add("glibc's program with musl", "its loader missing", []string{"/bin/ls", "--version"}, []file{ls})
	add("glibc's program with musl", "its loader a link to musl's", []string{"/bin/ls", "--version"}, []file{ls, {Name: "lib64/ld-linux-x86-64.so.2", Link: "/lib/ld-musl-x86_64.so.1"}})
	all = append(all, testCase{rule: "musl's program with glibc", on: s.platform, name: "its loader missing", base: glibc, start: program.Start{Entrypoint: []string{"/opt/app"}}, files: func() []file {
		f, _ := copied(filepath.Join(s.base.dir, app), "/opt/app", 0o755)
		return []file{f}
	}()})
	return all, nil
}

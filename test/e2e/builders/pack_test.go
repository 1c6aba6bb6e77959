package builders

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/polyarch/polyarch/test/e2e/cluster"
)

const cnbDir = lab + "/cnb"

// startPack makes builder images for both architectures, with a buildpack of ours that compiles Go: images of Debian's
// busybox to build in and to run on, and the lifecycle. Another builder image has amd64 alone.
func startPack(t *testing.T) {
	startDocker(t)
	if err := stackImages(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(cnbDir+"/buildpack", os.DirFS(filepath.Join(root(), "test/e2e/builders/testdata/buildpack"))); err != nil {
		t.Fatal(err)
	}
	must(t, nil, "sh", "-c", "chmod +x "+cnbDir+"/buildpack/bin/*")
	for _, arch := range []string{"amd64", "arm64"} {
		dir := filepath.Join(cnbDir, arch)
		for name, path := range map[string]string{"lifecycle": inside.Lifecycle[arch], "launcher": inside.Launcher[arch]} {
			if err := copyFile(path, filepath.Join(dir, "lifecycle", name)); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"analyzer", "builder", "creator", "detector", "exporter", "extender", "rebaser", "restorer"} {
			if err := os.Symlink("lifecycle", filepath.Join(dir, "lifecycle", name)); err != nil {
				t.Fatal(err)
			}
		}
		write(t, dir+"/lifecycle.toml", `[apis.buildpack]
deprecated = []
supported = ["0.7", "0.8", "0.9", "0.10", "0.11"]
[apis.platform]
deprecated = []
supported = ["0.7", "0.8", "0.9", "0.10", "0.11", "0.12", "0.13", "0.14"]
[api]
platform = "0.7"
buildpack = "0.7"
[lifecycle]
version = "`+inside.LifecycleVersion+`"
`)
		must(t, nil, "tar", "-C", dir, "-czf", dir+".tgz", "lifecycle.toml", "lifecycle")
		write(t, dir+".toml", fmt.Sprintf(`[[buildpacks]]
uri = "buildpack"
[[order]]
[[order.group]]
id = "polyarch/go"
version = "0.0.1"
[build]
image = "%[1]s/cnb/build-%[2]s:1"
[[run.images]]
image = "%[1]s/cnb/run:1"
[lifecycle]
uri = "%[2]s.tgz"
`, registry, arch))
		must(t, []string{"DOCKER_HOST=" + dockerHost}, "pack", "builder", "create", registry+"/cnb/builder-"+arch+":1", "--config", dir+".toml", "--target", "linux/"+arch, "--publish")
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := remote.Image(reference("cnb/builder-" + arch + ":1"))
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	if err := remote.WriteIndex(reference("cnb/builder:1"), index); err != nil {
		t.Fatal(err)
	}
}

// stackImages pushes the images to build in, one for each architecture, and the one to run on. The compiler to build
// with is this machine's: it runs natively and cross-compiles, as those of fast builder images do.
func stackImages() error {
	dir, err := os.MkdirTemp(lab, "stack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	script := `
set -e
mkdir -p etc/ssl/certs home/cnb layers workspace tmp
chmod 1777 tmp
cp ` + authorities + ` etc/ssl/certs/
printf 'root:x:0:0:root:/root:/bin/sh\ncnb:x:1001:1000:cnb:/home/cnb:/bin/sh\n' >etc/passwd
printf 'root:x:0:\ncnb:x:1000:\n' >etc/group
chown 1001:1000 home/cnb layers workspace
tar -cf layer.tar etc home layers workspace tmp`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making the images of buildpacks: %w\n%s", err, out)
	}
	users, err := tarball.LayerFromFile(filepath.Join(dir, "layer.tar"), tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return err
	}
	compiler, err := tarball.LayerFromFile(inside.Golang, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return err
	}
	runs := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := cluster.Image{Arch: arch, Files: map[string]string{
			"/bin/busybox": inside.Busybox[arch], "/bin/sh": "-> busybox", "/bin/cat": "-> busybox", "/bin/chmod": "-> busybox",
		}}.Build()
		if err != nil {
			return err
		}
		if image, err = mutate.AppendLayers(image, users); err != nil {
			return err
		}
		config, err := image.ConfigFile()
		if err != nil {
			return err
		}
		config = config.DeepCopy()
		config.Config.User = "1001:1000"
		config.Config.Labels = map[string]string{"io.buildpacks.stack.id": "polyarch.stack", "io.buildpacks.base.distro.name": "debian", "io.buildpacks.base.distro.version": "12"}
		config.Config.Env = []string{"PATH=/usr/local/go/bin:/bin", "CNB_STACK_ID=polyarch.stack", "CNB_USER_ID=1001", "CNB_GROUP_ID=1000"}
		if image, err = mutate.ConfigFile(image, config); err != nil {
			return err
		}
		runs = mutate.AppendManifests(runs, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
		if image, err = mutate.AppendLayers(image, compiler, users); err != nil { // users again: the compiler's layer has a /tmp of root's
			return err
		}
		if err := remote.Write(reference("cnb/build-"+arch+":1"), image); err != nil {
			return err
		}
	}
	return remote.WriteIndex(reference("cnb/run:1"), runs)
}

// packProject is samples/hello; the buildpack reads what to do of it from KIND.
func packProject(t *testing.T, k kind) project {
	t.Helper()
	dir := t.TempDir()
	if err := copyFile(filepath.Join(root(), "samples/hello/main.go"), dir+"/main.go"); err != nil {
		t.Fatal(err)
	}
	image := registry + "/cnb/builder:1"
	if k == wrong {
		image = registry + "/cnb/builder-amd64:1"
	}
	return project{context: dir, args: []string{"--builder-arg", "--builder=" + image, "--builder-arg", "--env=KIND=" + string(k), "--builder-arg", "--env=TOKEN"}, waits: sleeps}
}

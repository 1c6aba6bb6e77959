package builders

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

const (
	jibVersion = "3.5.2" // in testdata/java
	jre        = "openjdk-17-jre-headless"
)

// mavenEnv points Maven to the repository that was filled while there was a network, and Java to the lab.
func mavenEnv() []string {
	return []string{
		"XDG_CACHE_HOME=" + lab + "/home/.cache", "XDG_CONFIG_HOME=" + lab + "/home/.config",
		"MAVEN_OPTS=-Xmx512m -XX:TieredStopAtLevel=1 -Duser.home=" + lab + "/home -Dmaven.repo.local=" + inside.Maven + " -Djavax.net.ssl.trustStore=" + trustStore,
	}
}

// javaSource is the folder of the Java program.
func javaSource() string { return filepath.Join(root(), "test/e2e/builders/testdata/java") }

// mavenRepository is a local repository with all that building testdata/java takes, made by building it once.
func mavenRepository(ctx context.Context, logf func(string, ...any)) (string, error) {
	pom, err := os.ReadFile(filepath.Join(javaSource(), "pom.xml"))
	if err != nil {
		return "", err
	}
	dir, err := cached(fmt.Sprintf("maven-%x", sha256.Sum256(pom)))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	logf("filling the Maven repository %s", dir)
	project, err := os.MkdirTemp("", "polyarch-java-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(project)
	if err := os.CopyFS(project, os.DirFS(javaSource())); err != nil {
		return "", err
	}
	if _, err := output(ctx, project, "mvn", "--batch-mode", "-Dmaven.repo.local="+dir, "prepare-package", "jib:buildTar"); err != nil {
		return "", fmt.Errorf("filling a Maven repository: %w", err)
	}
	return dir, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}

// javaLayer is the layer of an image with Debian's Java for an architecture, a compressed tar in the user's cache.
func javaLayer(ctx context.Context, logf func(string, ...any), arch string) (string, error) {
	root, err := tool.Debian(ctx, logf, arch, jre)
	if err != nil {
		return "", err
	}
	path, err := cached("java-" + arch + "-" + jre + ".tar.gz")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	logf("making %s", path)
	script := `
set -e
triplet=$1 folders=
for f in lib lib64 usr/lib/jvm etc/java-17-openjdk; do [ ! -e $f ] || folders="$folders $f"; done
tar -c --sort=name --owner=0 --group=0 --exclude=ct.sym --exclude=systemd --exclude=gconv $folders usr/lib/$triplet/lib*.so* | gzip -1 >"$2"`
	triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[arch]
	if _, err := output(ctx, root, "sh", "-c", script, "sh", triplet, path+".part"); err != nil {
		return "", fmt.Errorf("making a Java image: %w", err)
	}
	return path, os.Rename(path+".part", path)
}

// cached is a path in the user's cache.
func cached(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "polyarch", name), os.MkdirAll(filepath.Join(cache, "polyarch"), 0o755)
}

var javaBases = sync.OnceValue(func() error {
	image := func(arch, of string) (v1.Image, error) { // says arch, and has the Java of another
		layer, err := tarball.LayerFromFile(inside.Java[of], tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, err
		}
		image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
		if err != nil {
			return nil, err
		}
		config, err := image.ConfigFile()
		if err != nil {
			return nil, err
		}
		config = config.DeepCopy()
		config.OS, config.Architecture = "linux", arch
		config.Config.Env = []string{"PATH=/usr/lib/jvm/java-17-openjdk-" + of + "/bin"}
		return mutate.ConfigFile(image, config)
	}
	for name, of := range map[string][2]string{"base/java:1": {"amd64", "arm64"}, "base/wrong-java:1": {"amd64", "amd64"}} {
		index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
		for i, arch := range []string{"amd64", "arm64"} {
			child, err := image(arch, of[i])
			if err != nil {
				return err
			}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: child, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
		}
		if err := remote.WriteIndex(parse(secure+"/"+name), index, login); err != nil {
			return fmt.Errorf("pushing a Java image: %w", err)
		}
	}
	return nil
})

// startJava pushes the base images.
func startJava(t *testing.T) {
	if err := javaBases(); err != nil {
		t.Fatal(err)
	}
}

// javaProject is the Java program; its base image decides what becomes of it.
func javaProject(t *testing.T, k kind) project {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(javaSource())); err != nil {
		t.Fatal(err)
	}
	base := secure + "/base/java:1"
	p := project{context: dir}
	switch k {
	case broken:
		write(t, filepath.Join(dir, "src/main/java/example/Broken.java"), "package example;\n\nclass Broken {\n")
	case wrong:
		base = secure + "/base/wrong-java:1"
	case endless:
		var host string
		host, p.waits = silent(t)
		base = host + "/base:1"
	}
	p.args = []string{"--builder-arg", "-Dbase=" + base}
	return p
}

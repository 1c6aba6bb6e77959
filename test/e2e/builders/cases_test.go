package builders

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// A kind is what a build is to come to.
type kind string

const (
	good    kind = "good"    // it compiles, and has something random that only a cache repeats
	broken  kind = "broken"  // it does not compile
	wrong   kind = "wrong"   // amd64's program in the image for arm64
	endless kind = "endless" // it waits for ever
)

// refused is how the image is: by its program; or by its config, where a builder took all of it from amd64's, as buildah
// does with --layers for FROM scratch, and pack with a builder image of one architecture.
var refused = regexp.MustCompile(`error: .*(/(hello|java)\b.* amd64|linux/arm64, and its config says linux/amd64)`)

// token is a secret of a build.
const token = "ghp_r3allyN0tTheRealOne0123"

const label = "an app, for all"

var login = remote.WithAuth(&authn.Basic{Username: user, Password: password})

// everyCase is what each builder has to show, whatever it is.
func everyCase(t *testing.T, b builder) {
	build := func(host string, k kind, env []string, args ...string) run {
		t.Helper()
		p := b.project(t, k)
		all := append([]string{"--image", host + "/" + b.name + "/" + string(k), "--tag", "v1", "--platform", platforms}, append(p.args, args...)...)
		all = append(all, b.args...)
		env = append(append(append([]string{}, b.env...), p.env...), env...)
		return b.stitch(t, p.context, env, all, b.after)
	}
	name := func(k kind) string { return b.name + "/" + string(k) }

	var args, env []string // of a good build
	if b.shows(labels) {
		args = append(args, "--label", "team="+label)
	}
	if b.shows(secrets) {
		args, env = append(args, "--secret", "id=token,env=TOKEN"), append(env, "TOKEN="+token)
	}
	args = append(args, b.cache...)
	t.Run("good", func(t *testing.T) {
		first := built(t, secure+"/"+name(good), build(secure, good, env, args...))
		roots := ran(t, first)
		for platform, image := range first {
			config, err := image.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			if got := config.Config.Labels["team"]; b.shows(labels) && got != label {
				t.Errorf("%s: the label is %q", platform, got)
			}
			// A builder without mounts for secrets notes as a label that it saw one.
			if got, ok := config.Config.Labels["secret"]; ok && got != "seen" {
				t.Errorf("%s: the secret is %s", platform, got)
			}
			if b.shows(secrets) {
				without(t, image, roots[platform], token)
			}
		}
		if b.forget != nil {
			b.forget(t)
		}
		again := built(t, secure+"/"+name(good), build(secure, good, env, args...))
		for platform, image := range again {
			was, is := layers(t, first[platform]), layers(t, image)
			if random := random(t, roots[platform]); random != "" {
				was, is = random, randomOf(t, image)
			}
			if was != is {
				t.Errorf("%s is built anew, in spite of the cache: %s, then %s", platform, was, is)
			}
		}
	})
	t.Run("login", func(t *testing.T) { // the same, with nothing to log in with
		r := build(secure, good, append(slices.Clone(env), "DOCKER_CONFIG="+anonymous), args...)
		if r.Code != 4 || r.Stdout != "" || !regexp.MustCompile(`hint: log in (to push, )?with: .*`+regexp.QuoteMeta(secure)).MatchString(r.Stderr) {
			t.Errorf("without a password: exit code %d, want 4\n%s%s", r.Code, r.Stdout, r.Stderr)
		}
	})
	t.Run("broken", func(t *testing.T) {
		r := build(b.to(), broken, nil)
		if r.Code != 1 || r.Stdout != "" || !strings.Contains(r.Stderr, "error: building ") || !b.says.MatchString(r.Stderr) {
			t.Errorf("a build that fails: exit code %d, want 1 and %q\n%s%s", r.Code, b.says, r.Stdout, r.Stderr)
		}
		untagged(t, b.to()+"/"+name(broken), "")
	})
	t.Run("wrong", func(t *testing.T) {
		r := build(b.to(), wrong, nil)
		if r.Code != 1 || r.Stdout != "" || !refused.MatchString(r.Stderr) {
			t.Errorf("an amd64 program in an arm64 image: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
		}
		untagged(t, b.to()+"/"+name(wrong), "v1")
	})
	t.Run("endless", func(t *testing.T) { stops(t, b, b.to()+"/"+name(endless)) })
}

// built returns the images of an index that stitch-index says it pushed, by their platform.
func built(t *testing.T, image string, r run) map[string]v1.Image {
	t.Helper()
	if r.Code != 0 {
		t.Fatalf("exit code %d\n%s", r.Code, r.Stderr)
	}
	index, err := remote.Index(parse(image+":v1"), login)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if want := image + ":v1@" + digest.String() + "\n"; !strings.HasPrefix(r.Stdout, want) {
		t.Errorf("it prints\n%s\nwant first\n%s", r.Stdout, want)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	images := map[string]v1.Image{}
	for _, m := range manifest.Manifests {
		if m.Platform.OS == "unknown" { // BuildKit's provenance
			continue
		}
		if images[m.Platform.String()], err = index.Image(m.Digest); err != nil {
			t.Fatal(err)
		}
	}
	return images
}

// ran runs the images of both platforms, compares what they print, and returns their root folders.
func ran(t *testing.T, images map[string]v1.Image) map[string]string {
	t.Helper()
	got, roots := map[string]string{}, map[string]string{}
	for platform, image := range images {
		roots[platform] = unpack(t, image)
		got[platform] = start(t, image, roots[platform])
	}
	want := map[string]string{
		"linux/amd64": "Hello world! Running on linux/amd64\n",
		"linux/arm64": "Hello world! Running on linux/arm64\n",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what the images print: %s", d)
	}
	return roots
}

// layers are the digests of an image's layers, before compression.
func layers(t *testing.T, image v1.Image) string {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(config.RootFS.DiffIDs)
}

// random is what a build has drawn, which only a cache repeats: the time of a file may be another. Empty: nothing was.
func random(t *testing.T, root string) string {
	t.Helper()
	found := ""
	walk(t, root, func(path string) {
		if filepath.Base(path) == "random" {
			b, err := os.ReadFile(path)
			if err != nil || len(b) != 16 {
				t.Fatalf("%s has %d bytes, %v", path, len(b), err)
			}
			found = fmt.Sprintf("%x", b)
		}
	})
	return found
}

func randomOf(t *testing.T, image v1.Image) string {
	t.Helper()
	return random(t, unpack(t, image))
}

// without checks that no small file of an image holds a secret, nor its config.
func without(t *testing.T, image v1.Image, root, secret string) {
	t.Helper()
	config, err := image.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(config, []byte(secret)) {
		t.Errorf("the image's config has the secret: %s", config)
	}
	walk(t, root, func(path string) {
		if info, err := os.Stat(path); err != nil || info.Size() > 1<<16 { // programs and libraries
			return
		}
		if b, _ := os.ReadFile(path); bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s in the image has the secret", path)
		}
	})
}

// walk calls do for the regular files of an image.
func walk(t *testing.T, root string, do func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			do(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// untagged checks that a repository does not have the tag, or none at all.
func untagged(t *testing.T, repository, tag string) {
	t.Helper()
	tags, err := remote.List(parse(repository+":x").Context(), login)
	var status *transport.Error
	if errors.As(err, &status) && status.StatusCode == http.StatusNotFound {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, have := range tags {
		if tag == "" || have == tag {
			t.Errorf("%s has the tags %q", repository, tags)
		}
	}
}

func parse(s string) name.Reference {
	ref, err := name.ParseReference(s)
	if err != nil {
		panic(err) // a constant of these tests
	}
	return ref
}

// write makes a file of a project.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// must runs a command in the lab.
func must(t *testing.T, env []string, argv ...string) {
	t.Helper()
	cmd := exec.Command("env", argv...)
	cmd.Env = environ(env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
}

//go:build unix

// Longer than 350 lines: one table of what every builder is asked and answers.

package builder

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/process"
)

var update = flag.Bool("update", false, "write the golden files")

// A machine is a Host that holds what a test says.
type machine struct {
	programs []string
	env      map[string]string
	files    map[string]string
}

func (m machine) host() Host {
	return Host{
		Platform: platform.Platform{OS: "linux", Arch: "amd64"},
		Getenv:   func(name string) string { return m.env[name] },
		Look:     func(p string) bool { return slices.Contains(m.programs, p) },
		Exists:   func(p string) bool { _, ok := m.files[p]; return ok },
		Read:     func(p string) string { return m.files[p] },
	}
}

// full is a request that names every option; plain names none.
func full(b Builder, m machine) Request {
	r := plain(m)
	r.Image, r.Loopback = "registry.example:5000/team/app", false
	r.Args = []string{"--first", "second word"}
	if b.Has(Dockerfile) {
		r.Dockerfile = "/src/docker/App.Dockerfile"
	}
	if b.Has(Target) {
		r.Target = "final"
	}
	if b.Has(BuildArg) {
		r.BuildArgs = []string{"VERSION=1 $x", "FROM_ENV"}
	}
	if b.Has(Label) {
		r.Labels = []string{"org.opencontainers.image.title=an app, for all"}
	}
	if b.annotates {
		r.Annotations = []Annotation{
			{Text: "org.opencontainers.image.title=an \"app\", for all"},
			{Of: platform.Platform{OS: "linux", Arch: "arm64"}, Text: "only=arm64"},
		}
	}
	if b.Has(Secret) {
		r.Secrets = []string{"id=npm,src=/run/npm", "id=key,env=KEY"}
	}
	if b.Has(CacheFrom) {
		r.CacheFrom = []string{"registry.example/cache:{platform}"}
	}
	if b.Has(CacheTo) {
		r.CacheTo = []string{"type=registry,ref=registry.example/cache:{platform}"}
	}
	if b.Has(PlatformTarget) {
		r.Target = "//app:image"
		r.PlatformTargets = map[platform.Platform]string{
			{OS: "linux", Arch: "amd64"}: "//platforms:amd64", {OS: "linux", Arch: "arm64"}: "@p//:arm64", {OS: "linux", Arch: "s390x"}: "//platforms:z",
		}
	}
	return r
}

func plain(m machine) Request {
	r := Request{
		Image: "127.0.0.1:5000/app", Tag: "v1", Context: "/src", Loopback: true, PlainHTTP: true,
		Platforms: platform.NewList(platform.Platform{OS: "linux", Arch: "amd64"}, platform.Platform{OS: "linux", Arch: "arm64"}),
		Command:   []string{"./build.sh", "release"},
		Host:      m.host(),
	}
	return r
}

// describe writes legs so that a person can check them against the tool's
// documents.
func describe(legs []Leg) string {
	var s strings.Builder
	for _, l := range legs {
		fmt.Fprintf(&s, "== %s, as %s\n", l.Name, l.Ref)
		for _, f := range l.Folders {
			fmt.Fprintf(&s, "folder %s\n", f)
		}
		for _, name := range slices.Sorted(maps.Keys(l.Files)) {
			fmt.Fprintf(&s, "file %s\n%s\n", name, l.Files[name])
		}
		for _, step := range l.Steps {
			if step.Dir != "" {
				fmt.Fprintf(&s, "in %s\n", step.Dir)
			}
			for _, e := range step.Env {
				fmt.Fprintf(&s, "env %s\n", e)
			}
			s.WriteString("$ " + strings.ReplaceAll(step.CommandLine(), " -", " \\\n    -") + "\n")
		}
	}
	return s.String()
}

// TestCommands holds the command line and environment of every builder to a
// golden file: plain, and with all the options that it has.
func TestCommands(t *testing.T) {
	m := machine{
		env:   map[string]string{"FROM_ENV": "from the environment", "BUILDKIT_HOST": "tcp://127.0.0.1:1234", "DOCKER_CONFIG": "/home/docker"},
		files: map[string]string{"/src/Dockerfile": "", "/home/docker/config.json": "{}"},
	}
	for _, b := range builders() {
		t.Run(b.Name, func(t *testing.T) {
			var got strings.Builder
			layout := plain(m)
			layout.Layout = true
			for _, r := range []Request{plain(m), full(b, m), layout} {
				if r.Layout && b.pushesOnly {
					continue
				}
				r.PlainHTTP = r.PlainHTTP && b.Name != "gcb"
				if b.Has(PlatformTarget) {
					r.Target, r.PlatformTargets = full(b, m).Target, full(b, m).PlatformTargets
				}
				legs, err := b.Plan(r, "/tmp/x")
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString(describe(legs))
			}
			path := filepath.Join("testdata", "commands", b.Name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Error(d)
			}
		})
	}
}

// What depends on the machine rather than on the request.
func TestCommandsFollowTheMachine(t *testing.T) {
	dockerfile := map[string]string{"/src/Dockerfile": ""}
	for name, c := range map[string]struct {
		builder string
		machine machine
		change  func(*Request)
		want    string // the start of the first command
		env     string
		alone   bool
	}{
		"buildx by itself":        {"buildx", machine{programs: []string{"buildx"}, files: dockerfile}, nil, "buildx build --progress=plain", "", false},
		"BuildKit without one":    {"buildkit", machine{programs: []string{daemonless}, files: dockerfile}, nil, daemonless + " build", "", true},
		"BuildKit at its socket":  {"buildkit", machine{programs: []string{daemonless}, files: map[string]string{"/src/Dockerfile": "", buildkitSocket: ""}}, nil, "buildctl build", "", false},
		"BuildKit elsewhere":      {"buildkit", machine{programs: []string{daemonless}, env: map[string]string{"BUILDKIT_HOST": "x"}, files: dockerfile}, nil, "buildctl build", "", false},
		"Maven's wrapper":         {"jib-maven", machine{files: map[string]string{"/src/mvnw": ""}}, nil, "/src/mvnw --batch-mode", "", false},
		"Gradle's wrapper":        {"jib-gradle", machine{files: map[string]string{"/src/gradlew": ""}}, nil, "/src/gradlew --console=plain :jib", "", false},
		"podman's credentials":    {"buildah", machine{env: map[string]string{"DOCKER_CONFIG": "/d", "REGISTRY_AUTH_FILE": "/a"}, files: map[string]string{"/src/Dockerfile": "", "/d/config.json": ""}}, nil, "buildah build", "", true},
		"Docker's without a file": {"buildah", machine{env: map[string]string{"DOCKER_CONFIG": "/d"}, files: dockerfile}, nil, "buildah build", "", true},
		"a BUILDPLATFORM given":   {"buildah", machine{files: dockerfile}, func(r *Request) { r.BuildArgs = []string{"BUILDPLATFORM=linux/arm64"} }, "buildah build --platform linux/amd64 --tag 127.0.0.1:5000/app:v1_linux_amd64 --build-arg BUILDPLATFORM=linux/arm64 /src", "", true},
		"a Containerfile":         {"docker", machine{files: map[string]string{"/src/Containerfile": ""}}, nil, "docker build --progress=plain --platform linux/amd64 --tag 127.0.0.1:5000/app:v1_linux_amd64 --file /src/Containerfile /src", "DOCKER_BUILDKIT=1", false},
		"kaniko one at a time":    {"kaniko", machine{files: dockerfile}, nil, "/kaniko/executor --context dir:///src --dockerfile /src/Dockerfile", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Lookup(c.builder)
			if err != nil {
				t.Fatal(err)
			}
			r := plain(c.machine)
			if c.change != nil {
				c.change(&r)
			}
			legs, err := b.Plan(r, "/tmp/x")
			if err != nil {
				t.Fatal(err)
			}
			step := legs[0].Steps[0]
			if !strings.HasPrefix(step.CommandLine(), c.want) {
				t.Errorf("command %s\nwant    %s", step.CommandLine(), c.want)
			}
			if got := strings.Join(step.Env, " "); got != c.env {
				t.Errorf("environment %q, want %q", got, c.env)
			}
			if why := b.Alone(r.Host); (why != "") != c.alone {
				t.Errorf("one at a time: %q, want %t", why, c.alone)
			}
		})
	}
}

// recorded returns what a tool printed or wrote when it was run.
func recorded(t *testing.T) map[string]string {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", "recorded.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, f := range a.Files {
		m[f.Name] = string(f.Data)
	}
	return m
}

// What a tool says about its work, and the digest in it.
func TestWhatToolsReport(t *testing.T) {
	says := recorded(t)
	const digest = "sha256:5a0f6f1d3a0f7f1c6cbb4dc2ac7d1bc7a2b1b3f4d5e6f708192a3b4c5d6e7f80"
	for name, c := range map[string]struct {
		text   string
		file   string // in the leg's folder; empty: it is printed
		digest string
	}{
		"docker":   {says["reports/docker"], "", "sha256:740e7d625de30a9daca4ded22c4f6eda592b87b03bd9b7e268a5a0b6bd773258"},
		"buildx":   {says["reports/buildx"], "metadata.json", "sha256:1ac1f05a24e92294c9a054348cff78dc671860007755d05a1a6f3fef1f887da6"},
		"buildkit": {says["reports/buildkit"], "metadata.json", "sha256:21f53f69a6b4753d7df8f2121efd15a2c1f448b24d4fd75780eb23fe975478ae"},
		"buildah":  {says["reports/buildah"], "digest", "sha256:9cdc4cd013b0abd5f9daac6397225380527991d2e3afa2c993d476dd309dbc7f"},
		"ko":       {says["reports/ko"], "refs", "sha256:7f4a3d461d4ab50b76976f9020c74a2aba38db88fa1eafaef0543530b342a99a"},
		"kaniko":   {digest, "digest", digest}, // it writes nothing else
		"pack":     {says["reports/pack"], "", "sha256:d417575f99faa8b5ae93a647abad1751b0512cf08684319abc71bb066f83f318"},
		// from its documents
		"gcb": {"v1: digest: sha256:" + strings.Repeat("3", 64) + " size: 528\nDONE\n" + digest + "\n", "", digest},
	} {
		b, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		r := plain(machine{files: map[string]string{"/src/Dockerfile": ""}})
		r.PlainHTTP = false
		legs, err := b.Plan(r, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		leg := legs[0]
		collect := func(text string) (Pushed, error) {
			t.Helper()
			if c.file == "" {
				return leg.Collect(strings.Split(text, "\n"))
			}
			if err := os.MkdirAll(leg.Dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(leg.Dir, c.file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return leg.Collect(nil)
		}
		if c.file != "" {
			if _, err := leg.Collect(nil); err == nil {
				t.Errorf("%s: a report that is missing is no error", name)
			}
		}
		if got, err := collect(c.text); err != nil || got != (Pushed{Digest: c.digest}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got, err := collect("{}"); (err == nil) != (c.file == "") || got != (Pushed{}) {
			t.Errorf("%s: without a digest: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"jib-maven", "jib-gradle"} { // the registry says it
		b, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		legs, err := b.Plan(plain(machine{}), t.TempDir())
		if err != nil || legs[0].Collect != nil || len(legs) != 1 {
			t.Errorf("%s: %+v, %v", name, legs, err)
		}
	}
}

// What tools printed when they failed, and how it is explained.
func TestRecordedFailures(t *testing.T) {
	want := map[string]struct {
		cause string
		code  exit.Code
	}{
		"login":     {"a registry wants another login", exit.Denied},
		"daemon":    {"its daemon cannot be reached", exit.Unreachable},
		"instance":  {"its daemon cannot be reached", exit.Unreachable},
		"plugin":    {"Docker's buildx plugin is missing", exit.Failed},
		"plugin-20": {"Docker's buildx plugin is missing", exit.Failed},
		"jib":       {"the project's build does not have the jib plugin", exit.Failed},
		"gradle":    {"this Gradle is too old for the jib plugin", exit.Failed},
		"tls":       {"a registry has no TLS, or a certificate that Java does not trust", exit.Failed},
		"lifecycle": {"the lifecycle's image cannot be pulled", exit.Unreachable},
		"option":    {"it does not know what it was told to do", exit.Failed},
		"disk":      {"the disk is full", exit.Failed},
		"emulation": {"this machine does not run programs of that platform", exit.Failed},
	}
	n := 0
	for name, text := range recorded(t) {
		parts := strings.Split(name, "/")
		if parts[0] != "failures" {
			continue
		}
		n++
		b, err := Lookup(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		out := &process.Lines{}
		out.Write([]byte(text))
		out.End()
		leg := Leg{Name: "linux/arm64", Platforms: list(t, "arm64"), Ref: "registry.example/app:v1_linux_arm64"}
		err = b.explain(machine{}.host(), leg, &StepError{Step: Step{Argv: []string{parts[1]}}, Tail: out.Tail(), Err: exitStatus1})
		w := want[parts[2]]
		if !strings.HasPrefix(err.Error(), "building linux/arm64 with "+parts[1]+": "+w.cause+": exit status 1 (") || exit.CodeOf(err) != w.code || len(exit.HintsOf(err)) == 0 {
			t.Errorf("%s: %v, code %d, hints %q", name, err, exit.CodeOf(err), exit.HintsOf(err))
		}
	}
	if n == 0 {
		t.Error("nothing is recorded")
	}
}

func TestWhatBuildersRefuse(t *testing.T) {
	m := machine{files: map[string]string{"/src/Dockerfile": ""}}
	for name, c := range map[string]struct {
		builder string
		change  func(*Request)
		want    string
	}{
		"an option it lacks":       {"ko", func(r *Request) { r.BuildArgs = []string{"A=b"} }, "flag --build-arg: the builder ko has no such option"},
		"an option as a value":     {"ko", func(r *Request) { r.Target = "--local" }, `flag --target: "--local" begins with -`},
		"no Dockerfile":            {"docker", func(r *Request) { r.Context = "/empty" }, "building with docker: there is no Dockerfile in /empty"},
		"a variant":                {"jib-gradle", func(r *Request) { r.Platforms = list(t, "arm/v7") }, "building linux/arm/v7 with jib-gradle: jib knows no variants of an architecture"},
		"no label":                 {"bazel", func(r *Request) {}, `flag --target: bazel needs the label of an image in this workspace, and "" is none`},
		"another repository":       {"bazel", func(r *Request) { r.Target = "@other//:image" }, `flag --target: bazel needs the label of an image in this workspace, and "@other//:image" is none`},
		"no target for a platform": {"bazel", func(r *Request) { r.Target = "//:image" }, "flag --platform-target: bazel needs a target for linux/amd64"},
		"Cloud Build to loopback":  {"gcb", func(r *Request) {}, "building with gcb: Cloud Build pushes to registries that speak TLS, and 127.0.0.1:5000/app is reached over plain HTTP"},
		"a file Cloud Build does not see": {"gcb", func(r *Request) { r.PlainHTTP, r.Dockerfile = false, "/other/Dockerfile" },
			"flag --dockerfile: Cloud Build sees only the context, and /other/Dockerfile is outside of it"},
		"a tag that grows too long": {"docker", func(r *Request) { r.Tag = strings.Repeat("x", 120) }, "naming the build for linux/amd64: its tag " + strings.Repeat("x", 120) + "_linux_amd64 is longer than 128 characters"},
	} {
		b, err := Lookup(c.builder)
		if err != nil {
			t.Fatal(err)
		}
		r := plain(m)
		c.change(&r)
		_, err = b.Plan(r, "/tmp/x")
		if err == nil || err.Error() != c.want || exit.CodeOf(err) != exit.Usage {
			t.Errorf("%s: %v", name, err)
		}
		if c.builder != "gcb" && len(exit.HintsOf(err)) == 0 {
			t.Errorf("%s: no hint", name)
		}
	}
}

// Every builder refuses every option that it lacks, and says who has it.
func TestOptionsThatABuilderLacks(t *testing.T) {
	set := map[Option]func(*Request){
		Dockerfile:     func(r *Request) { r.Dockerfile = "/src/x" },
		Target:         func(r *Request) { r.Target = "x" },
		BuildArg:       func(r *Request) { r.BuildArgs = []string{"A=b"} },
		Secret:         func(r *Request) { r.Secrets = []string{"id=a,src=b"} },
		CacheFrom:      func(r *Request) { r.CacheFrom = []string{"x"} },
		CacheTo:        func(r *Request) { r.CacheTo = []string{"x"} },
		PlatformTarget: func(r *Request) { r.PlatformTargets = map[platform.Platform]string{{OS: "linux", Arch: "amd64"}: "x"} },
	}
	for _, b := range builders() {
		for o, change := range set {
			var r Request
			change(&r)
			if lacks := b.lacks(r); b.Has(o) != (lacks == "") {
				t.Errorf("%s: --%s: %q", b.Name, o, lacks)
			}
		}
	}
}

func TestAuto(t *testing.T) {
	dockerfile := func(more ...string) map[string]string {
		f := map[string]string{"/src/Dockerfile": "FROM scratch"}
		for _, m := range more {
			f[m] = ""
		}
		return f
	}
	const socket = "/var/run/docker.sock"
	for name, c := range map[string]struct {
		machine machine
		change  func(*Request)
		want    string
	}{
		"a command":           {machine{}, func(r *Request) { r.Command = []string{"x"} }, "custom: there is a command after --"},
		"labels of platforms": {machine{}, func(r *Request) { r.PlatformTargets = map[platform.Platform]string{{}: "x"} }, "bazel: --platform-target is given, which only Bazel has"},
		"a command for both": {machine{files: dockerfile(socket), programs: []string{"docker"}}, func(r *Request) {
			r.Command, r.PlatformTargets = []string{"x"}, map[platform.Platform]string{{}: "x"}
		}, "custom: there is a command after --"},
		"kaniko's image":        {machine{files: dockerfile(kanikoExecutor, socket), programs: []string{"docker"}}, nil, "kaniko: there is a Dockerfile, and this is kaniko's image"},
		"a BuildKit daemon":     {machine{files: dockerfile(), programs: []string{"buildctl", "buildah"}, env: map[string]string{"BUILDKIT_HOST": "tcp://b"}}, nil, "buildkit: there is a Dockerfile, and buildctl is installed, and a daemon is at tcp://b"},
		"a docker daemon":       {machine{files: dockerfile(socket), programs: []string{"docker", "buildah"}}, nil, "docker: there is a Dockerfile, and docker is installed, and a daemon is at " + socket},
		"an instance of buildx": {machine{files: dockerfile(socket), programs: []string{"docker"}, env: map[string]string{"BUILDX_BUILDER": "b"}}, nil, "buildx: there is a Dockerfile, and BUILDX_BUILDER names an instance of buildx"},
		"a cache to write":      {machine{files: dockerfile(socket), programs: []string{"docker", "buildah"}}, func(r *Request) { r.CacheTo = []string{"x"} }, "buildx: there is a Dockerfile, and docker is installed, and a daemon is at " + socket},
		"docker without daemon": {machine{files: dockerfile(), programs: []string{"docker", "buildah"}}, nil, "buildah: there is a Dockerfile, and buildah is installed"},
		"a daemon each time":    {machine{files: dockerfile(), programs: []string{"buildctl", daemonless}}, nil, "buildkit: there is a Dockerfile, and " + daemonless + " is installed"},
		"a Containerfile":       {machine{files: map[string]string{"/src/Containerfile": ""}, programs: []string{"buildah"}}, nil, "buildah: there is a Dockerfile, and buildah is installed"},
		"a Dockerfile, no tool": {machine{files: dockerfile(), programs: []string{"docker"}}, nil, "choosing a builder: there is a Dockerfile, and nothing to build it with: no BuildKit daemon, docker daemon or buildah was found"},
		"no tool that can":      {machine{files: dockerfile(kanikoExecutor)}, func(r *Request) { r.Secrets = []string{"x"} }, "choosing a builder: there is a Dockerfile, and what is installed cannot build it as asked: kaniko has no --secret"},
		"Maven with jib":        {machine{files: map[string]string{"/src/pom.xml": "<artifactId>jib-maven-plugin</artifactId>"}}, nil, "jib-maven: pom.xml has the jib-maven-plugin"},
		"Gradle with jib":       {machine{files: map[string]string{"/src/build.gradle.kts": `id("com.google.cloud.tools.jib")`}}, nil, "jib-gradle: the Gradle build has the jib plugin"},
		"ko's settings":         {machine{files: map[string]string{"/src/.ko.yaml": ""}}, nil, "ko: there is a .ko.yaml"},
		"a Go module":           {machine{files: map[string]string{"/src/go.mod": ""}, programs: []string{"ko"}}, nil, "ko: there is a Go module without a Dockerfile, and ko is installed"},
		"buildpacks":            {machine{files: map[string]string{"/src/project.toml": "[[io.buildpacks.group]]"}}, nil, "pack: project.toml names buildpacks"},
		"Maven without jib":     {machine{files: map[string]string{"/src/pom.xml": ""}}, nil, "choosing a builder: nothing in /src says how to build it: there is no Dockerfile, no Maven or Gradle build with jib, no .ko.yaml, no project.toml"},
	} {
		r := plain(c.machine)
		r.Command = nil
		if c.change != nil {
			c.change(&r)
		}
		b, why, err := Auto(r)
		got := b.Name + ": " + why
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWhyABuildFailed(t *testing.T) {
	for name, c := range map[string]struct {
		builder string
		tail    []string
		want    string
		code    exit.Code
		hint    string
	}{
		"emulation":          {"buildah", []string{`STEP 2/3: RUN uname -m`, `exec container process "/bin/sh": Exec format error`, "Error: building at STEP: exit status 1"}, "this machine does not run programs of that platform: exit status 1 (exec container process", exit.Failed, "install emulation: docker run --privileged --rm tonistiigi/binfmt --install arm64"},
		"a full disk":        {"docker", []string{"write /var/lib/docker/x: no space left on device"}, "the disk is full: exit status 1 (write", exit.Failed, "make room, for example with: docker system prune"},
		"no docker daemon":   {"docker", []string{"ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"}, "its daemon cannot be reached", exit.Unreachable, "start Docker"},
		"not in the group":   {"docker", []string{"permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get: dial unix /var/run/docker.sock: connect: permission denied"}, "its daemon does not let this user in", exit.Denied, "group docker"},
		"another's daemon":   {"docker", []string{"permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get: dial unix /var/run/docker.sock: connect: permission denied"}, "its daemon does not let this user in", exit.Denied, "group docker"},
		"no BuildKit":        {"buildkit", []string{"error: listing workers for Build: failed to list workers: Unavailable: connection error"}, "its daemon cannot be reached", exit.Unreachable, "start buildkitd"},
		"no instance":        {"buildx", []string{`ERROR: failed to find driver "remote"`}, "its daemon cannot be reached", exit.Unreachable, "docker buildx ls"},
		"a login":            {"buildah", []string{"Error: trying to reuse blob: unauthorized: authentication required"}, "a registry wants another login", exit.Denied, "buildah login registry.example"},
		"a login for docker": {"docker", []string{"denied: requested access to the resource is denied"}, "a registry wants another login", exit.Denied, "docker login registry.example"},
		"no plugin":          {"docker", []string{"ERROR: BuildKit is enabled but the buildx component is missing or broken."}, "Docker's buildx plugin is missing", exit.Failed, "install it"},
		"an old tool":        {"buildah", []string{"Error: unknown flag: --cache-to"}, "it does not know what it was told to do", exit.Failed, "too old"},
		"the compiler":       {"docker", []string{"main.go:3:1: syntax error"}, "building linux/arm64 with docker: exit status 1", exit.Failed, ""},
		"what tests print":   {"docker", append([]string{"401 Unauthorized"}, make([]string, saidLast)...), "building linux/arm64 with docker: exit status 1", exit.Failed, ""},
	} {
		b, err := Lookup(c.builder)
		if err != nil {
			t.Fatal(err)
		}
		leg := Leg{Name: "linux/arm64", Platforms: list(t, "arm64"), Ref: "registry.example/app:v1_linux_arm64"}
		err = b.explain(machine{}.host(), leg, &StepError{Step: Step{Argv: []string{c.builder}}, Tail: c.tail, Err: exitStatus1})
		if !strings.Contains(err.Error(), c.want) || exit.CodeOf(err) != c.code {
			t.Errorf("%s: %v, code %d", name, err, exit.CodeOf(err))
		}
		if hints := strings.Join(exit.HintsOf(err), "; "); !strings.Contains(hints, c.hint) || (c.hint == "") != (hints == "") {
			t.Errorf("%s: hints %q", name, hints)
		}
	}
}

// buildah and BuildKit do not always say that it is the emulator that is
// missing: "subprocess exited with status 1" is all there is.
func TestTheHintThatAnEmulatorIsMissing(t *testing.T) {
	const binfmt = "/proc/sys/fs/binfmt_misc/"
	here := machine{files: map[string]string{binfmt + "status": "enabled"}}
	with := machine{files: map[string]string{binfmt + "status": "enabled", binfmt + "qemu-aarch64": "enabled"}}
	for name, c := range map[string]struct {
		builder, platform string
		machine           machine
		want              bool
	}{
		"none":                   {"buildah", "arm64", here, true},
		"another's":              {"docker", "s390x", with, true},
		"one":                    {"buildah", "arm64", with, false},
		"our own platform":       {"buildah", "amd64", here, false},
		"what amd64 runs":        {"buildkit", "386", here, false},
		"what cannot be seen":    {"buildah", "arm64", machine{}, false},
		"a builder without RUN":  {"ko", "arm64", here, false},
		"a system without QEMUs": {"buildx", "windows/arm64", here, false},
	} {
		b, err := Lookup(c.builder)
		if err != nil {
			t.Fatal(err)
		}
		leg := Leg{Name: c.platform, Platforms: list(t, c.platform), Ref: "r.example/a:v1"}
		err = b.explain(c.machine.host(), leg, &StepError{Step: Step{Argv: []string{"x"}}, Tail: []string{"subprocess exited with status 1"}, Err: exitStatus1})
		if got := strings.Contains(strings.Join(exit.HintsOf(err), " "), "no emulator for"); got != c.want {
			t.Errorf("%s: %q", name, exit.HintsOf(err))
		}
	}
}

// exitStatus1 is the error of a command that ran and failed.
var exitStatus1 = exec.Command("false").Run()

package builder

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/process"
	"github.com/polyarch/polyarch/internal/text"
)

// A Builder knows one tool.
type Builder struct {
	Name    string
	Program string   // what must be in PATH; empty if the user names it
	Remedy  string   // how to get Program, one sentence
	Once    bool     // one call builds all platforms, as one index
	Options []Option // those it has; naming another is an error
	Scratch string   // where the files of its calls have to be; empty: anywhere
	// Instead says, for an option that it lacks, how to get the same.
	Instead map[Option]string

	// signs are what --builder auto picks it for; none: it has to be named.
	signs []sign

	// emulates: it runs programs of the platform, for each RUN of a Dockerfile,
	// and does not always say so when the machine cannot.
	emulates bool
	// alone says why two calls at a time would get in each other's way; nil or
	// "": they do not.
	alone func(Host) string
	// pushesOnly: it cannot leave an image as a layout.
	pushesOnly bool
	// annotates: it writes annotations into an image's manifest.
	annotates bool
	// cacheClient: it is a client of BuildKit, which reads GitHub's cache.
	cacheClient bool
	// secretsByName: it has no mounts for secrets; what it runs gets variables.
	secretsByName bool
	// What to do about failures: the command that frees disk space, how to see
	// what its daemon does, and what to put before a host to log in there. Empty:
	// nothing special.
	clean, daemon, login string
	// plan returns the commands of one call. It reads nothing but r and leg.
	plan func(r Request, leg Leg) (Build, error)
}

// An Option is a flag of stitch-index that not every builder has.
type Option string

// The options.
const (
	Dockerfile     Option = "dockerfile"
	Target         Option = "target"
	BuildArg       Option = "build-arg"
	Label          Option = "label"
	Secret         Option = "secret"
	CacheFrom      Option = "cache-from"
	CacheTo        Option = "cache-to"
	PlatformTarget Option = "platform-target"
)

// A Request is what to build.
type Request struct {
	Image     string // HOST/PATH
	Tag       string // what the tag of a single platform starts with
	Platforms platform.List
	Optional  platform.List // those of them whose build may fail, and ends no other one

	Context         string // the folder, an absolute path
	Dockerfile      string // an absolute path; empty for the one in Context
	Target          string
	BuildArgs       []string // NAME=VALUE, or NAME for the environment's value
	Labels          []string // KEY=VALUE, in the image's config
	Annotations     []Annotation
	Secrets         []string // id=NAME,src=PATH or id=NAME,env=VARIABLE
	CacheFrom       []string
	CacheTo         []string
	PlatformTargets map[platform.Platform]string
	Args            []string // passed to the builder as they are
	Command         []string // of the custom builder

	Layout    bool // nothing is pushed: the image is left as an OCI layout
	PlainHTTP bool // Image's registry may be spoken to without TLS
	Loopback  bool // Image's registry is on this machine

	Host Host
}

// An Annotation is one in an image's manifest.
type Annotation struct {
	Of   platform.Platform // zero: of every platform
	Text string            // KEY=VALUE
}

// A Host is what a plan may know of the machine.
type Host struct {
	Platform platform.Platform
	Getenv   func(string) string
	Look     func(program string) bool // is it on the PATH?
	Exists   func(path string) bool
	Read     func(path string) string // a file's text; empty if there is none
}

// A Leg is one call of a builder: for one platform, or for all.
type Leg struct {
	Name      string // for people: "linux/arm64"
	Platforms platform.List
	Ref       string // HOST/PATH:TAG that the call pushes
	Dir       string // an empty folder for the call's own files
	Build
}

// A Build is what a leg runs, and how it is understood.
type Build struct {
	Folders []string          // made first
	Files   map[string][]byte // written into the leg's folder first
	Steps   []Step            // run one after the other
	// Collect reads what the steps left: their last lines, and files. A nil
	// Collect means that the tool says nothing.
	Collect func(lines []string) (Pushed, error)
}

// A Step is one command.
type Step struct {
	Argv []string
	Dir  string   // empty: the current one
	Env  []string // NAME=VALUE, added to the environment
	// Hidden are the words of Argv that hold a value of the environment, which
	// the tool takes in no other way.
	Hidden []string
}

// CommandLine returns the step as a shell takes it, without its secrets.
func (s Step) CommandLine() string { return process.CommandLine(s.Argv, s.Hidden) }

// A Pushed is what a tool reports of its work. The registry's own answer is
// what counts; a report that differs from it means that another run pushed to
// the same tag in between.
type Pushed struct {
	Digest string // sha256:…; empty if the tool does not say
	Layout string // an OCI image layout that is still to be pushed; or empty
}

// builders in the order in which help names them.
func builders() []Builder {
	return []Builder{
		docker(), buildx(), buildkit(), buildah(), kaniko(), ko(),
		jibMaven(), jibGradle(), bazel(), pack(), gcb(), custom(),
	}
}

// Names returns the names of all builders.
func Names() []string {
	var names []string
	for _, b := range builders() {
		names = append(names, b.Name)
	}
	return names
}

// Lookup finds a builder by its name.
func Lookup(name string) (Builder, error) {
	for _, b := range builders() {
		if b.Name == name {
			return b, nil
		}
	}
	e := exit.Usagef("flag --builder: there is no builder %q; there are %s", name, strings.Join(Names(), ", "))
	if n := text.Nearest(name, Names()); n != "" {
		e.Hint("did you mean %s?", n)
	}
	return Builder{}, e
}

// Alone says why b builds one platform at a time, or "".
func (b Builder) Alone(h Host) string {
	if b.alone == nil {
		return ""
	}
	return b.alone(h)
}

// Annotates reports whether b writes annotations into an image's manifest.
func (b Builder) Annotates() bool { return b.annotates }

// Has reports whether b has the option.
func (b Builder) Has(o Option) bool { return slices.Contains(b.Options, o) }

// Plan checks that b can do what r asks for and returns its calls. dir names
// the folder for the files of the calls, below which each has its own.
func (b Builder) Plan(r Request, dir string) ([]Leg, error) {
	if err := b.check(r); err != nil {
		return nil, err
	}
	if b.Has(Dockerfile) && r.Dockerfile == "" {
		switch file := r.FindDockerfile(); filepath.Base(file) {
		case "Containerfile":
			r.Dockerfile = file
		case ".":
			return nil, exit.Usagef("building with %s: there is no Dockerfile in %s", b.Name, r.Context).Hint("name it with --dockerfile")
		}
	}
	groups := b.groups(r)
	var legs []Leg
	for _, ps := range groups {
		leg := Leg{Name: ps.String(), Platforms: ps}
		tag := r.Tag + "_" + leg.slug()
		if len(tag) > 128 {
			return nil, exit.Usagef("naming the build for %s: its tag %s is longer than 128 characters", ps, tag).Hint("give a shorter --tag first")
		}
		leg.Ref, leg.Dir = r.Image+":"+tag, filepath.Join(dir, leg.slug())
		own := r
		own.Args = leg.own(r.Args)
		build, err := b.plan(own, leg)
		if err != nil {
			return nil, err
		}
		if b.secretsByName {
			for i := range build.Steps {
				build.Steps[i].Env = append(build.Steps[i].Env, r.secretFiles()...)
			}
		}
		leg.Build = build
		legs = append(legs, leg)
	}
	return legs, nil
}

// groups returns the platforms of each call.
func (b Builder) groups(r Request) (groups []platform.List) {
	var together platform.List
	for _, p := range r.Platforms {
		if b.Once && !r.Optional.Contains(p) {
			together = append(together, p)
			continue
		}
		groups = append(groups, platform.List{p})
	}
	if together != nil {
		groups = append([]platform.List{together}, groups...)
	}
	return groups
}

// FindDockerfile returns the path of the Dockerfile that is built, the one
// that is named or the one in the context; empty if there is none.
func (r Request) FindDockerfile() string {
	if r.Dockerfile != "" {
		return r.Dockerfile
	}
	for _, name := range []string{"Containerfile", "Dockerfile"} {
		if file := filepath.Join(r.Context, name); r.Host.Exists(file) {
			return file
		}
	}
	return ""
}

// lacks returns an option that r names and b lacks, or "".
func (b Builder) lacks(r Request) Option {
	given := map[Option]bool{
		Dockerfile: r.Dockerfile != "", Target: r.Target != "", BuildArg: len(r.BuildArgs) > 0, Label: len(r.Labels) > 0, Secret: len(r.Secrets) > 0,
		CacheFrom: len(r.CacheFrom) > 0, CacheTo: len(r.CacheTo) > 0, PlatformTarget: len(r.PlatformTargets) > 0,
	}
	for _, o := range []Option{Dockerfile, Target, BuildArg, Label, Secret, CacheFrom, CacheTo, PlatformTarget} {
		if given[o] && !b.Has(o) {
			return o
		}
	}
	return ""
}

func (b Builder) check(r Request) error {
	if r.Layout && b.pushesOnly {
		var can []string
		for _, other := range builders() {
			if !other.pushesOnly {
				can = append(can, other.Name)
			}
		}
		return exit.Usagef("flag --output: the builder %s can only push to a registry", b.Name).Hint("%s leave an image in a layout", strings.Join(can, ", "))
	}
	for o, values := range map[Option][]string{Target: {r.Target}, PlatformTarget: slices.Collect(maps.Values(r.PlatformTargets))} {
		for _, v := range values {
			if strings.HasPrefix(v, "-") { // some tools would take it for an option
				return exit.Usagef("flag --%s: %q begins with -", o, v).Hint("options of %s itself go into --builder-arg", b.Name)
			}
		}
	}
	if o := b.lacks(r); o != "" {
		e := exit.Usagef("flag --%s: the builder %s has no such option", o, b.Name)
		if s := b.Instead[o]; s != "" {
			e.Hint("%s", s)
		}
		var have []string
		for _, other := range builders() {
			if other.Has(o) {
				have = append(have, other.Name)
			}
		}
		return e.Hint("it works with %s", strings.Join(have, ", "))
	}
	return nil
}

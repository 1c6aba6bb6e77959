package builder

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

// A sign is what --builder auto picks a builder for.
type sign struct {
	rank rank
	// names is what there was none of, for the error if nothing is found; empty:
	// another sign names it.
	names string
	// seen says what was found, or "".
	seen func(r Request) string
}

// A rank says which sign counts more: an earlier one. Within a rank the order
// is that of builders.
type rank int

const (
	asked rank = iota // a command or a flag that one builder alone has

	// With a Dockerfile, what can build it here:
	ownImage      // the machine is the builder's own image
	namedDaemon   // somebody says where its daemon is
	namedInstance // somebody says which of its instances
	sharedDaemon  // a daemon that is there for others too
	noDaemon      // it needs none
	clientAlone   // a client, which may find its daemon by itself

	// Without one, what the project is:
	buildFile // the project's build file has a plugin for images
	ownFile   // the builder's own settings, or sources that it knows
)

func (s sign) dockerfile() bool { return asked < s.rank && s.rank < buildFile }

// Auto picks a builder from what the context folder and the machine hold, and
// says why. The kind of project decides first, then which tools can build it
// here.
func Auto(r Request) (b Builder, why string, err error) {
	type candidate struct {
		Builder
		sign
	}
	var all []candidate
	for _, b := range builders() {
		for _, s := range b.signs {
			all = append(all, candidate{b, s})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return int(a.rank - b.rank) })

	isDockerfile := r.Dockerfile != "" || r.has("Dockerfile") || r.has("Containerfile")
	var none, missing []string
	for _, c := range all {
		if c.rank != asked && c.dockerfile() != isDockerfile {
			continue
		}
		if c.names != "" {
			none = append(none, c.names)
		}
		why := c.seen(r)
		if why == "" {
			continue
		}
		if !isDockerfile || c.rank == asked {
			return c.Builder, why, nil
		}
		if lacks := c.lacks(r); lacks != "" {
			missing = append(missing, c.Name+" has no --"+string(lacks))
			continue
		}
		return c.Builder, "there is a Dockerfile, and " + why, nil
	}
	switch {
	case !isDockerfile:
		return Builder{}, "", exit.Failf("choosing a builder: nothing in %s says how to build it: there is no Dockerfile, no %s", r.Context, strings.Join(none, ", no ")).
			Hint("name another folder with --context, a builder with --builder, or a build command after --")
	case missing != nil:
		err := exit.Failf("choosing a builder: there is a Dockerfile, and what is installed cannot build it as asked: %s", strings.Join(missing, ", "))
		return Builder{}, "", err.Hint(installOne)
	}
	return Builder{}, "", exit.Failf("choosing a builder: there is a Dockerfile, and nothing to build it with: no %s was found", strings.Join(none[:len(none)-1], ", ")+" or "+none[len(none)-1]).Hint(installOne)
}

const installOne = "install one of them (buildah needs no daemon), name one with --builder, or give a build command after --"

// has reports whether there is a file of this name in the context folder, and
// holds whether it has a word in it.
func (r Request) has(name string) bool { return r.Host.Exists(filepath.Join(r.Context, name)) }

func (r Request) holds(name, word string) bool {
	return r.has(name) && strings.Contains(r.Host.Read(filepath.Join(r.Context, name)), word)
}

// installed is a sign of a program on the PATH.
func installed(rank rank, program, names string) sign {
	return sign{rank, names, func(r Request) string {
		if !r.Host.Look(program) {
			return ""
		}
		return program + " is installed"
	}}
}

// A daemon is a sign of a client on the PATH and of a daemon that it finds by a
// variable, or at its usual socket.
func daemon(rank rank, client, variable, socket, names string) sign {
	return sign{rank, names, func(r Request) string {
		at := r.Host.Getenv(variable)
		if at == "" && r.Host.Exists(socket) {
			at = socket
		}
		if at == "" || !r.Host.Look(client) {
			return ""
		}
		return client + " is installed, and a daemon is at " + at
	}}
}

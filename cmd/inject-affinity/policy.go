package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/affinity"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/policy"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/text"
)

func (c *config) policyFlags(fs *flagset.Set) {
	fs.Bool(&c.policy, "policy", false, "print, instead of manifests, the ConfigMap polyarch-platforms of each of their namespaces, for the admission policy in catalog/admission; with --artifacts or --image, standard input is read only if - names it")
	fs.String(&c.policyUpdate, "policy-update", "", "add the images to the ConfigMaps polyarch-platforms in `FILE`, which is made if it does not exist, and leave its other keys alone; - reads standard input and prints the result")
}

// maxPolicy is more than any file of ConfigMaps takes.
const maxPolicy = 64 << 20

func (c *config) validPolicy(args []string) error {
	switch {
	case c.policy && (c.write || c.diff || c.check):
		return exit.Usagef("flag --policy prints ConfigMaps instead of manifests, so --write, --diff and --check have nothing to do").
			Hint("to have them in a file beside the manifests, use --policy-update FILE instead of --policy")
	case c.printsPolicy() && (c.terms != "per-os" || c.labels == nfd || len(c.prefer) > 0 || len(c.cluster) > 0):
		return exit.Usagef("flags --terms, --feature-labels, --prefer and --cluster-platforms say how manifests are pinned, and --policy pins none").Hint("leave them out")
	case c.policyUpdate != "" && c.diff:
		return exit.Usagef("flags --policy-update and --diff exclude each other: --diff writes nothing")
	case c.policyUpdate == "-" && (c.write || c.check):
		return exit.Usagef("flag --policy-update: - prints ConfigMaps instead of manifests, so --write and --check have nothing to do").Hint("name a file")
	case c.policyUpdate == "-" && (slices.Contains(args, "-") || len(args) == 0 && c.kustomize == "" && !c.withoutManifests(args)):
		return exit.Usagef("standard input cannot be both ConfigMaps and manifests").Hint("give one of them as a file")
	}
	return nil
}

// printsPolicy reports whether ConfigMaps take the place of manifests.
func (c *config) printsPolicy() bool { return c.policy || c.policyUpdate == "-" }

// withoutManifests reports whether the images that flags name are all there is.
func (c *config) withoutManifests(args []string) bool {
	return len(args) == 0 && c.kustomize == "" && c.printsPolicy() && (len(c.artifacts) > 0 || len(c.images) > 0)
}

// A place is a key of a namespace's ConfigMap.
type place struct{ namespace, key string }

// An imageKey is what is known of an image, and where it goes.
type imageKey struct {
	place
	platforms platform.List
}

// keys returns the keys of an image in a manifest: the digest that was built or
// that the registry has, and the tag, unless a digest beside it says that the
// tag may have moved.
func (in *injector) keys(ctx context.Context, namespace, image string, l platform.List) ([]imageKey, error) {
	b, _ := in.images.find(image)
	if b != nil && b.ref != (registry.Reference{}) {
		return in.keysOf(ctx, namespace, b, l)
	}
	ref, err := registry.ParseReference(image)
	if err != nil {
		return nil, nil // no runtime takes it
	}
	if ref.Digest != (v1.Hash{}) {
		return named(namespace, registry.Reference{Repository: ref.Repository, Digest: ref.Digest}, l), nil
	}
	if b == nil {
		if ref.Digest, err = in.cache.Digest(ctx, ref); err != nil {
			return nil, err
		}
	}
	return named(namespace, ref, l), nil
}

// keysOf returns the keys of a build that was pushed.
func (in *injector) keysOf(ctx context.Context, namespace string, b *build, l platform.List) ([]imageKey, error) {
	ref := b.ref
	if b.platforms == nil && ref.Digest == (v1.Hash{}) {
		var err error
		if ref.Digest, err = in.cache.Digest(ctx, ref); err != nil {
			return nil, err
		}
	}
	return named(namespace, ref, l), nil
}

func named(namespace string, ref registry.Reference, l platform.List) (all []imageKey) {
	if ref.Digest != (v1.Hash{}) {
		all = append(all, imageKey{place{namespace, policy.DigestKey(ref.Digest.String())}, l})
	}
	if ref.Tag != "" {
		if key, ok := policy.TagKey(ref.Repository.String(), ref.Tag); ok {
			all = append(all, imageKey{place{namespace, key}, l})
		}
	}
	return all
}

// A policyFile is what a run makes of ConfigMaps.
type policyFile struct {
	text    []byte
	changed bool
}

// policies puts the images of the manifests, and those that flags name, into
// ConfigMaps: new ones, or those of --policy-update.
func (c *config) policies(ctx context.Context, log *command.Log, stdin io.Reader, in *injector, r *record) (policyFile, error) {
	old, err := c.oldPolicy(ctx, stdin)
	if err != nil {
		return policyFile{}, err
	}
	set, err := policy.Parse(old)
	if err != nil {
		return policyFile{}, exit.InFile(c.policyName(), err)
	}
	namespaces := map[string]bool{}
	for k := range r.images {
		namespaces[k.namespace] = true
	}
	if len(namespaces) == 0 {
		for _, n := range set.Namespaces() {
			namespaces[n] = true
		}
	}
	if len(namespaces) == 0 {
		namespaces[""] = true
	}
	built, err := in.built(ctx, log, len(r.images) == 0)
	if err != nil {
		return policyFile{}, err
	}
	taints, err := in.platformTaints()
	if err != nil {
		return policyFile{}, err
	}
	for _, n := range slices.Sorted(maps.Keys(namespaces)) {
		set.Open(n)
		for _, k := range built {
			set.Platforms(n, k.key, k.platforms)
		}
		if taints != "" {
			set.Set(n, policy.Taints, taints)
		}
	}
	for k, l := range r.images {
		set.Platforms(k.namespace, k.key, l)
	}
	out, err := set.Marshal()
	if err != nil {
		return policyFile{}, exit.Failf("writing ConfigMaps: %w", err)
	}
	for _, n := range set.Namespaces() {
		size, images := set.Size(n)
		log.Debugf("the ConfigMap %s of namespace %q has %s in %d bytes", policy.Name, n, text.Count(images, "image"), size)
		if size > policy.ApplyBytes {
			log.Infof("the ConfigMap %s of namespace %q has %d KiB; apply it with kubectl apply --server-side, which keeps no copy in an annotation", policy.Name, n, size>>10)
		}
	}
	if !set.Changed() {
		out = old
	}
	return policyFile{out, set.Changed()}, nil
}

func (c *config) policyName() string {
	if c.policyUpdate == "-" {
		return standardInput
	}
	return c.policyUpdate
}

// oldPolicy reads what --policy-update names. A file that does not exist is empty.
func (c *config) oldPolicy(ctx context.Context, stdin io.Reader) ([]byte, error) {
	switch c.policyUpdate {
	case "":
		return nil, nil
	case "-":
		return readAll(ctx, standardInput, stdin, maxPolicy)
	}
	b, err := readFile(ctx, c.policyUpdate, maxPolicy)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// built returns the keys of all images that flags name: what an operator makes
// Pods of need not be in a manifest. An image that was not built is named with
// its tag or digest, or if latest holds, without one.
func (in *injector) built(ctx context.Context, log *command.Log, latest bool) (all []imageKey, err error) {
	for _, b := range in.images.named {
		if ref, err := registry.ParseReference(b.name); b.ref == (registry.Reference{}) && err == nil {
			if bare, _ := registry.ParseName(b.name); latest || bare.Tag != "" || bare.Digest != (v1.Hash{}) {
				all = append(all, named("", ref, b.platforms)...)
			}
		}
	}
	for _, repository := range slices.Sorted(maps.Keys(in.images.built)) {
		for _, b := range in.images.built[repository] {
			l := b.platforms
			if l == nil {
				if in.cache == nil {
					err = exit.Failf("its registry was not asked, because of --offline")
				} else {
					l, err = in.cache.Platforms(ctx, b.ref)
				}
			}
			var keys []imageKey
			if err == nil {
				keys, err = in.keysOf(ctx, "", b, l)
			}
			if err != nil && (!in.skip || ctx.Err() != nil) {
				return nil, exit.Failf("the platforms of image %s are not known: %w", b.text, err)
			}
			if err != nil {
				log.Warnf("the platforms of image %s are not known, so it is left out: %v", b.text, err)
				continue
			}
			all = append(all, keys...)
		}
	}
	return all, nil
}

// platformTaints returns --taints as the ConfigMap has it. Every Pod of the
// namespace whose images are known is to tolerate them, so they have to be of
// what the images are for; others are the manifests' alone.
func (in *injector) platformTaints() (string, error) {
	var all []string
	for _, t := range in.taints {
		if !affinity.OfPlatform(t) && !in.pinsNothing {
			continue
		}
		if !affinity.OfPlatform(t) {
			return "", exit.Usagef("flag --taints: %s is not a taint of the architecture or the OS, and every Pod of the namespace would tolerate it", t).
				Hint("leave it out; the admission policy tolerates kubernetes.io/arch, kubernetes.io/os and node.kubernetes.io/os")
		}
		all = append(all, t.String())
	}
	return strings.Join(all, ","), nil
}

// stalePolicy is the error of --check for ConfigMaps that lack something.
func (c *config) stalePolicy(p policyFile) error {
	if !c.check || !p.changed {
		return nil
	}
	return exit.Failf("checking %s: its ConfigMaps %s would change", c.policyUpdate, policy.Name).
		Hint("run inject-affinity with --write instead of --check")
}

// files returns what --policy-update is to write.
func (c *config) policyFiles(p policyFile) map[string][]byte {
	if c.policyUpdate == "" || c.policyUpdate == "-" || c.check || !p.changed {
		return nil
	}
	return map[string][]byte{c.policyUpdate: p.text}
}

// printPolicy ends a run whose result are ConfigMaps.
func (c *config) printPolicy(env *command.Env, r *record) error {
	report := r.report(c, nil)
	if c.policyUpdate != "" && c.policyUpdate != "-" {
		if r.policy.changed {
			report.Text = c.policyUpdate + "\n"
		}
		return env.Write(report)
	}
	if err := env.Write(report); err != nil {
		return err
	}
	_, err := io.Copy(env.Stdout, bytes.NewReader(r.policy.text))
	return err
}

package main

import (
	"context"
	"time"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/verify"
)

// config is what the flags say.
type config struct {
	image        string
	tags         flagset.Words
	sourcesFiles flagset.Lines
	madeFor      flagset.Lines
	repositories flagset.Words
	metadata     string
	output       string
	append       bool
	keep         bool
	check        bool
	dryRun       bool
	verify       string
	level        string
	format       string
	childTags    string
	referrers    bool
	onIndex      flagset.Lines
	onImages     flagset.Lines
	fromGit      bool
	gates        flagset.Lines
	attach       flagset.Lines
	artifacts    string
	name         string
	build        building
	insecure     flagset.Words
	timeout      time.Duration
	wait         time.Duration
}

func (c *config) flags(fs *flagset.Set) {
	fs.Group("Index")
	fs.String(&c.image, "image", "", "the `REPOSITORY` of the index, HOST/PATH; HOST/PATH:TAG sets a tag as well")
	fs.Var(&c.tags, "tag", "the `TAGS` of the index, separated by commas or spaces; HOST/PATH:TAG is accepted if it names --image; can be repeated")
	fs.String(&c.metadata, "metadata", "", "take tags, labels and annotations from `JSON`, the output json of docker/metadata-action")
	fs.Var(&c.sourcesFiles, "sources-file", "read more sources from the file at `PATH`, - for standard input: one per line, a JSON array, the result source-list, or GitHub's toJSON(needs.JOB.outputs); can be repeated, or one per line")
	fs.Var(&c.madeFor, "made-for", "refuse sources from a file that were not made for this `NAME=VALUE`, for example commit=1f2e…; with --no-stitch, record it in the result source-list; can be repeated, or one per line")
	fs.Var(&c.repositories, "allow-repository", "accept sources from a file that are in these `REPOSITORIES`, not only in --image; can be repeated")
	fs.String(&c.output, "output", "", "write the index and its images to an OCI layout on disk, `oci:PATH[:TAG]`, instead of to a registry")
	fs.Bool(&c.append, "append", false, "keep the images of the first tag's current index, except those for the sources' platforms")
	fs.Bool(&c.keep, "keep-platforms", false, "refuse, with exit code 3, an index that lacks a platform which one of the tags has now")
	fs.Bool(&c.dryRun, "dry-run", false, "read and check everything and compute the digest, but write nothing; with --platform, print the build commands without running them")
	fs.Bool(&c.check, "check", false, "make no index: check that what the arguments name, or else --image and --tag, can be pulled whole, with images, layers, programs, attestations and signatures; REPO:* names every tag; exit code 1 with a line for each finding")
	fs.Choice(&c.verify, "verify-binaries", []string{string(verify.Entrypoint), string(verify.All), string(verify.Strict), string(verify.Off)}, "refuse an image that cannot start on its platform: follow what it starts and what that loads; look at every program and library in it as well (all); refuse what cannot be verified, too (strict); or check nothing; off also trusts a declared platform without reading the config")
	fs.Choice(&c.level, "microarchitecture", []string{string(index.MicroarchitectureWarn), string(index.MicroarchitectureRefuse), string(index.MicroarchitectureDeclare)}, "what to do with an image that needs a newer processor than its platform says, such as linux/amd64 that needs x86-64-v3: warn, refuse it, or declare it in the index as linux/amd64/v3")
	fs.Choice(&c.format, "format", []string{"auto", "oci", "docker"}, "the media type of the index; auto writes a Docker manifest list if all images are Docker's, else an OCI index")
	fs.Choice(&c.childTags, "child-tags", []string{"none", "suffix"}, "also tag the image of each platform: v1_linux_arm64")
	fs.Bool(&c.referrers, "referrers", false, "copy signatures, SBOMs and other referrers of images that come from another repository")
	fs.Group("Annotations")
	fs.Var(&c.onIndex, "index-annotation", "add an annotation to the index, `KEY=VALUE`; a prefix index: or manifest: makes no difference; can be repeated, or one per line")
	fs.Var(&c.onImages, "annotation", "add an annotation to the images' descriptors in the index, `[PLATFORM:]KEY=VALUE`; the prefixes index:, manifest: and manifest-descriptor[PLATFORM]: say where it goes, as in docker buildx; can be repeated, or one per line")
	fs.Bool(&c.fromGit, "git-annotations", false, "annotate the index with the commit, its date and the URL of the repository that --context is in")
	fs.Group("Evidence")
	fs.Var(&c.gates, "gate", "run this `COMMAND` in a shell when the index stands under its digest, and move no tag if it fails; it gets IMAGE_REF, PLATFORMS, IMAGE_linux_arm64 and its like, and IMAGE_JSON; can be repeated, or one per line")
	fs.Var(&c.attach, "attach", "attach a file to the index, or to the image of a platform, before any tag moves, `[PLATFORM:]TYPE=FILE`, for example linux/arm64:application/spdx+json=arm64.json; {platform} in FILE stands for linux_arm64 of each image; an SBOM of another architecture is refused; can be repeated, or one per line")
	fs.Group("Files")
	fs.String(&c.artifacts, "artifacts-file", "", "describe the image in a file at `PATH`, for inject-affinity --artifacts and skaffold deploy --build-artifacts")
	fs.String(&c.name, "name", "", "the `NAME` that manifests use for the image, for the artifacts file (default: --image without a tag)")
	c.build.flags(fs)
	fs.Group("Registry")
	fs.Var(&c.insecure, "insecure-registry", "use plain HTTP for these `HOSTS`; loopback addresses need no flag; can be repeated")
	fs.Timeout(&c.timeout, "timeout", 10*time.Minute, "give up on the registry, and on gates, after this `TIME`; builds are not limited")
	fs.Duration(&c.wait, "wait", 5*time.Second, "the `TIME` that a source may take to appear after it was pushed")
}

func program() command.Program {
	c := &config{}
	return command.Program{
		Name:    "stitch-index",
		Summary: "build an image for each platform and combine them into one image index",
		Usage: `--image REPOSITORY --tag TAG REF[=PLATFORM]…
--image REPOSITORY --tag TAG --platform PLATFORMS [--builder TOOL] [REF[=PLATFORM]…]
--image REPOSITORY --tag TAG --platform PLATFORMS [REF[=PLATFORM]…] -- COMMAND…
--check REF…`,
		Details: `
REF is REPO:TAG, REPO@sha256:…, sha256:… alone for a digest in --image, or
oci:PATH[:TAG] for an OCI layout on disk; - reads more of them from standard
input. If REF is an index, its images are used, with their attestations.
Images in other repositories and registries are copied. The platform of an
image is the one in its config; a declared PLATFORM must agree with it. All
sources are checked before anything is written, and the tags move last.

COMMAND runs once for each platform, in the folder --context, with
  PLATFORM, PLATFORMS    what to build for, for example linux/arm64
  IMAGE                  what to push, HOST/PATH:v1_linux_arm64
  IMAGE_REPO, IMAGE_TAG  its two parts
  PUSH_IMAGE             true
  BUILD_CONTEXT          the folder, as an absolute path
  SKIP_TEST              false
  OCI_LAYOUT             an empty folder
as Skaffold runs custom builders. It pushes IMAGE, or writes the image as an
OCI image layout to OCI_LAYOUT, and stitch-index pushes it.

The command of --gate runs in the current folder with
  IMAGE_REF              the index, HOST/PATH@sha256:…, which no tag names yet
  PLATFORMS              its platforms, separated by commas
  IMAGE_linux_arm64, …   the image of each platform, HOST/PATH@sha256:…
  IMAGE_JSON             a file that says all this and more, as --json prints it
and has to log in to registries by itself.`,
		Example: `
# is what is published whole? its images, layers, programs and signatures
stitch-index --check ghcr.io/me/app:v1

# combine two images into one index with two tags
stitch-index --image ghcr.io/me/app --tag v1,latest ghcr.io/me/app:v1_linux_amd64 ghcr.io/me/app:v1_linux_arm64

# combine the outputs of a GitHub Actions matrix
echo "$OUTPUTS" | stitch-index --image ghcr.io/me/app --tag v1 -   # OUTPUTS: ${{ toJSON(needs.build.outputs) }}

# build for both platforms with an installed builder, then combine
stitch-index --image ghcr.io/me/app --tag v1 --platform linux/amd64,linux/arm64 --context app

# build on a machine of each platform, then combine on any machine
stitch-index --image ghcr.io/me/app --tag v1 --platform linux/arm64 --no-stitch
stitch-index --image ghcr.io/me/app --tag v1 $AMD64_SOURCE $ARM64_SOURCE

# sign before a tag moves, and move none if the smoke test fails
stitch-index --image ghcr.io/me/app --tag v1 --gate './smoke-test "$IMAGE_linux_arm64"' \
  --gate 'cosign sign --yes --recursive "$IMAGE_REF"' $AMD64_SOURCE $ARM64_SOURCE

# an SBOM of each image, sbom-linux_amd64.json and so on, refers to it before the tag moves
stitch-index --image ghcr.io/me/app --tag v1 --attach 'application/spdx+json=sbom-{platform}.json' $AMD64_SOURCE $ARM64_SOURCE

# build with your own script
stitch-index --image ghcr.io/me/app --tag v1 --platform linux/amd64,linux/arm64 -- ./build.sh`,
		Common: []string{"image", "tag", "platform", "builder", "context", "dockerfile", "build-arg", "no-stitch", "artifacts-file", "dry-run"},
		Values: map[string]func(*command.Env) []string{
			"platform": func(*command.Env) []string { return platform.Common() },
			"builder":  func(*command.Env) []string { return append([]string{auto}, builder.Names()...) },
		},
		Results: []output.Spec{
			{Name: "image-url", Description: "the index with its first tag, REPO:TAG"},
			{Name: "image-digest", Description: "the digest of the index"},
			{Name: "image-ref", Description: "the index with its digest, REPO@sha256:…"},
			{Name: "images", Description: "the image of each platform, REPO@sha256:…, separated by commas", List: true},
			{Name: "platforms", Description: "the platforms of the index, separated by commas", List: true},
			{Name: "missing", Description: "the platforms of --optional that the index, or the build, goes out without, separated by commas", List: true},
			{Name: "source", Description: "the sources of the index, REPO:TAG@sha256:…=PLATFORM, separated by commas; with --no-stitch, the sources for a later run", List: true},
			{Name: "source-list", Description: "the sources as JSON for a later run's --sources-file, with the values of --made-for"},
		},
		Flags: c.flags,
		Run:   c.run,
	}
}

func (c *config) run(ctx context.Context, env *command.Env) error {
	if c.check {
		return c.checkPublished(ctx, env)
	}
	if err := c.takeMetadata(); err != nil {
		return err
	}
	if err := c.build.check(env); err != nil {
		return err
	}
	if err := c.checkEvidence(); err != nil {
		return err
	}
	if c.build.noStitch && c.keep {
		return exit.Usagef("flag --keep-platforms is for the run that makes the index, and --no-stitch makes none")
	}
	sources, err := c.sources(env)
	if err != nil {
		return err
	}
	if len(c.build.platforms) > 0 {
		built, remove, err := c.buildPlatforms(ctx, env)
		if err != nil {
			return err
		}
		defer remove()
		if c.dryRun {
			return nil
		}
		sources = append(sources, built...)
	}
	if c.build.noStitch {
		return c.noStitch(ctx, env, sources)
	}
	return c.stitch(ctx, env, sources)
}

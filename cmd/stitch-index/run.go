package main

import (
	"context"
	"time"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/output"
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
	dryRun       bool
	verify       string
	format       string
	childTags    string
	referrers    bool
	onIndex      flagset.Lines
	onImages     flagset.Lines
	fromGit      bool
	artifacts    string
	name         string
	build        building
	insecure     flagset.Words
	timeout      time.Duration
	wait         time.Duration
}

func (c *config) flags(fs *flagset.Set) {
	fs.Group("Index")
	fs.String(&c.image, "image", "", "the `REPOSITORY` of the index, HOST/PATH; HOST/PATH:TAG names a tag as well")
	fs.Var(&c.tags, "tag", "`TAGS` of the index, separated by commas or blanks; HOST/PATH:TAG is one if it is of --image; can be repeated")
	fs.String(&c.metadata, "metadata", "", "take tags, labels and annotations from `JSON`, the output json of docker/metadata-action")
	fs.Var(&c.sourcesFiles, "sources-file", "read more sources from the file at `PATH`, - for standard input: one a line, a JSON array, the result source-list, or GitHub's toJSON(needs.JOB.outputs); can be repeated, or one on each line")
	fs.Var(&c.madeFor, "made-for", "refuse sources from a file that does not say it was made for this, `NAME=VALUE`, for example commit=1f2e…; with --no-stitch, what the result source-list says; can be repeated, or one on each line")
	fs.Var(&c.repositories, "allow-repository", "take sources of these `REPOSITORIES` from a file as well, not of --image alone; can be repeated")
	fs.String(&c.output, "output", "", "write the index and its images to an OCI layout, `oci:PATH[:TAG]`, instead of to a registry")
	fs.Bool(&c.append, "append", false, "keep the images that the first tag has now, except those of the sources' platforms")
	fs.Bool(&c.dryRun, "dry-run", false, "read and check everything and compute the digest, write nothing; with --platform, show the build commands and run none")
	fs.Choice(&c.verify, "verify-binaries", []string{string(index.VerifyEntrypoint), string(index.VerifyAll), string(index.VerifyOff)}, "refuse an image whose programs are for another platform than its config says: look at what it starts, at the folders of PATH as well, or trust it (then a declared platform is not compared with the config either)")
	fs.Choice(&c.format, "format", []string{"auto", "oci", "docker"}, "the media type of the index: Docker's if all images are Docker's, or one of them in any case")
	fs.Choice(&c.childTags, "child-tags", []string{"none", "suffix"}, "tag the image of each platform as well: v1_linux_arm64")
	fs.Bool(&c.referrers, "referrers", false, "copy signatures, SBOMs and what else refers to images that come from another repository")
	fs.Group("Annotations")
	fs.Var(&c.onIndex, "index-annotation", "annotate the index: `KEY=VALUE`; index: and manifest: before it mean the same here; can be repeated, or one on each line")
	fs.Var(&c.onImages, "annotation", "annotate the images, in the index: `[PLATFORM:]KEY=VALUE`; index:KEY=VALUE annotates the index, manifest:KEY=VALUE what is built, manifest-descriptor[PLATFORM]:KEY=VALUE says the default in full; can be repeated, or one on each line")
	fs.Bool(&c.fromGit, "git-annotations", false, "annotate the index with the commit, its date and the address of the repository that the folder --context is in")
	fs.Group("Files")
	fs.String(&c.artifacts, "artifacts-file", "", "describe the image in a file at `PATH` that inject-affinity --artifacts and skaffold deploy --build-artifacts read")
	fs.String(&c.name, "name", "", "the `NAME` that manifests have for the image, for the artifacts file (default: what --image says, without a tag)")
	c.build.flags(fs)
	fs.Group("Registry")
	fs.Var(&c.insecure, "insecure-registry", "reach these `HOSTS` over plain HTTP; loopback is reached so without it; can be repeated")
	fs.Timeout(&c.timeout, "timeout", 10*time.Minute, "give up on the registry after this `TIME`; a build takes what it takes")
	fs.Duration(&c.wait, "wait", 5*time.Second, "how much `TIME` a source may take to appear after its push")
}

func program() command.Program {
	c := &config{}
	return command.Program{
		Name:    "stitch-index",
		Summary: "one image index of the images built for each platform",
		Usage: `--image REPOSITORY --tag TAG REF[=PLATFORM]…
--image REPOSITORY --tag TAG --platform PLATFORMS [--builder TOOL] [REF[=PLATFORM]…]
--image REPOSITORY --tag TAG --platform PLATFORMS [REF[=PLATFORM]…] -- COMMAND…`,
		Details: `
REF is REPO:TAG, REPO@sha256:…, sha256:… alone for a digest in --image, or
oci:PATH[:TAG] for an OCI layout on disk; - reads more of them from
standard input. Those of a file are of --image, or --allow-repository. It may be an index: its images are taken, with their
attestations. Images of other repositories and registries are copied. The
platform of an image is what its config says; one that is declared must agree
with it. All sources are checked before anything is written, and the tags move
last.

COMMAND is run once for each platform, in the folder --context, with
  PLATFORM, PLATFORMS  what to build for, linux/arm64
  IMAGE                what to push, HOST/PATH:v1_linux_arm64
  IMAGE_REPO, IMAGE_TAG  its two parts
  PUSH_IMAGE           true
  BUILD_CONTEXT        the folder, as an absolute path
  SKIP_TEST            false
  OCI_LAYOUT           an empty folder
as Skaffold runs its custom builders. It pushes IMAGE, or it leaves the image in
OCI_LAYOUT as an OCI image layout, which is then pushed for it.`,
		Example: `
# two images into one index under two tags
stitch-index --image ghcr.io/me/app --tag v1,latest ghcr.io/me/app:v1_linux_amd64 ghcr.io/me/app:v1_linux_arm64

# what the jobs of a GitHub Actions matrix gave as outputs
echo "$OUTPUTS" | stitch-index --image ghcr.io/me/app --tag v1 -   # OUTPUTS: ${{ toJSON(needs.build.outputs) }}

# in a Tekton step
stitch-index --image $(params.image) --tag v1 --result image-url=$(results.IMAGE_URL.path) …

# build both with what is installed, then stitch them
stitch-index --image ghcr.io/me/app --tag v1 --platform linux/amd64,linux/arm64 --context app

# on a machine of each platform, then on any
stitch-index --image ghcr.io/me/app --tag v1 --platform linux/arm64 --no-stitch
stitch-index --image ghcr.io/me/app --tag v1 $AMD64_SOURCE $ARM64_SOURCE

# build both with a script of your own, then stitch them
stitch-index --image ghcr.io/me/app --tag v1 --platform linux/amd64,linux/arm64 -- ./build.sh`,
		Results: []output.Spec{
			{Name: "image-url", Description: "the index by its first tag, REPO:TAG"},
			{Name: "image-digest", Description: "the digest of the index"},
			{Name: "image-ref", Description: "the index by its digest, REPO@sha256:…"},
			{Name: "images", Description: "the image of each platform, REPO@sha256:…, separated by commas", List: true},
			{Name: "platforms", Description: "the platforms of the index, separated by commas", List: true},
			{Name: "source", Description: "what went into the index, REPO:TAG@sha256:…=PLATFORM, separated by commas; with --no-stitch what a later run takes", List: true},
			{Name: "source-list", Description: "the same as JSON for a later run's --sources-file, with what --made-for says"},
		},
		Flags: c.flags,
		Run:   c.run,
	}
}

func (c *config) run(ctx context.Context, env *command.Env) error {
	if err := c.takeMetadata(); err != nil {
		return err
	}
	if err := c.build.check(env); err != nil {
		return err
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

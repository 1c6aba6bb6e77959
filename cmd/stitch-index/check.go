package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/published"
	"github.com/polyarch/polyarch/internal/text"
	"github.com/polyarch/polyarch/internal/verify"
)

// checkFlags are the flags that --check goes with; any other is for making an
// index.
var checkFlags = []string{"check", "image", "tag", "verify-binaries", "artifacts-file", "name", "insecure-registry", "timeout"}

// checkPublished checks what is published, and writes nothing to a registry.
func (c *config) checkPublished(ctx context.Context, env *command.Env) error {
	names, err := c.checked(env)
	if err != nil {
		return err
	}
	ctx, cancel := exit.WithTimeLimit(ctx, c.timeout)
	defer cancel()
	c.wait = 0 // for what is not there: nobody has just pushed it
	r, err := published.Check(ctx, published.Job{Client: c.client(env, env.Log.Infof), Names: names, Verify: verify.Mode(c.verify)})
	if err != nil {
		return err
	}
	for _, n := range r.Notes {
		env.Log.Infof("note: %s", n)
	}
	if err := env.Write(c.reportCheck(r)); err != nil || r.Whole() {
		return err
	}
	broken := 0
	for _, i := range r.Images {
		if !i.Whole {
			broken++
		}
	}
	e := exit.Failf("checking what is published: %s in %d of %s", text.Count(len(r.Findings), "finding"), broken, text.Count(len(r.Images), "image"))
	if slices.ContainsFunc(r.Findings, func(f *published.Finding) bool { return f.Kind == published.Child }) {
		e.Hint("build and push what was removed again, and stitch it with --append; --child-tags suffix keeps clean-ups of untagged images from it")
	}
	return e
}

// checked returns what --check is to look at: the arguments, or without them
// what --image and --tag name.
func (c *config) checked(env *command.Env) ([]published.Name, error) {
	for _, f := range env.Flags.Infos() {
		if f.Group == "Output" || f.Group == "Other" || slices.Contains(checkFlags, f.Name) {
			continue
		}
		if env.Flags.Changed(f.Name) {
			return nil, exit.Usagef("flag --check looks at what is published, and --%s is for making an index", f.Name).Hint("leave one of them out")
		}
	}
	if env.Command != nil {
		return nil, exit.Usagef("flag --check looks at what is published, and the command after -- builds an image").Hint("leave one of them out")
	}
	repo, err := c.given()
	if err != nil {
		return nil, err
	}
	args := env.Args
	if len(args) == 0 && repo.Path != "" {
		_, tags, err := c.target()
		if err != nil {
			return nil, err
		}
		for _, t := range tags {
			args = append(args, repo.Tag(t).String())
		}
	}
	if len(args) == 0 {
		return nil, exit.Usagef("flag --check: there is nothing to check").Hint("name it: REPO:TAG, REPO@sha256:…, oci:PATH, or 'REPO:*' for all tags")
	}
	var names []published.Name
	for _, a := range args {
		if a == stdin {
			return nil, exit.Usagef("flag --check takes references as arguments, not from standard input")
		}
		if strings.Contains(a, "=") && !strings.HasPrefix(a, "oci:") {
			return nil, exit.Usagef("flag --check: %q is not a reference", a).Hint("it looks at all platforms: leave out what follows =")
		}
		n, err := published.ParseName(a, repo)
		if err != nil {
			return nil, err
		}
		names = append(names, n)
	}
	return names, nil
}

// checkDocument is what --check --json prints.
type checkDocument struct {
	Whole    bool                 `json:"whole"`
	Images   []*published.Image   `json:"images"`
	Findings []*published.Finding `json:"findings"`
	Notes    []string             `json:"notes"`
}

// reportCheck returns what a check found. The results are those of the image if
// there is one and it is whole; otherwise they are empty.
func (c *config) reportCheck(r *published.Report) output.Report {
	doc := checkDocument{r.Whole(), r.Images, r.Findings, r.Notes}
	if doc.Findings == nil {
		doc.Findings = []*published.Finding{}
	}
	if doc.Notes == nil {
		doc.Notes = []string{}
	}
	var lines strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&lines, "%s\n", text.Line(f.String()))
	}
	for _, i := range r.Images {
		if i.Whole {
			fmt.Fprintf(&lines, "%s\n", text.Line(wholeLine(i)))
		}
	}
	one := document{}
	if len(r.Images) == 1 && r.Whole() {
		i := r.Images[0]
		repo, _, _ := strings.Cut(i.Reference, "@")
		if len(i.Tags) > 0 {
			repo = strings.TrimSuffix(repo, ":"+i.Tags[0])
		}
		one = document{ImageURL: i.Reference, ImageRef: repo + "@" + i.Digest, Platforms: i.Platforms}
		one.Digest, _ = v1.NewHash(i.Digest) // it is one
		for _, d := range i.Images {
			one.Images = append(one.Images, child{Digest: d})
		}
	}
	report := output.Report{Results: c.results(one, nil), Text: lines.String(), JSON: doc, Summary: checkSummary(r)}
	if one.ImageURL != "" {
		report.Files = c.files(one)
	}
	return report
}

func wholeLine(i *published.Image) string {
	name := i.Reference
	if !strings.Contains(name, "@") {
		name += "@" + i.Digest
	}
	if len(i.Tags) > 1 {
		name += " (" + strings.Join(i.Tags[1:], ", ") + ")"
	}
	what := i.Platforms.String()
	if what == "" {
		what = "no image to run"
	}
	if i.Evidence > 0 {
		what += ", " + text.Count(i.Evidence, "manifest") + " about it"
	}
	return name + " is whole: " + what
}

// checkSummary is Markdown for GitHub.
func checkSummary(r *published.Report) string {
	var b strings.Builder
	b.WriteString("### What is published\n\n")
	if len(r.Findings) > 0 {
		b.WriteString("| image | platform | finding |\n|---|---|---|\n")
		for _, f := range r.Findings {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", text.MarkdownCode(strings.Join(f.References, ", ")), text.Markdown(f.Platform), text.Markdown(f.Message))
		}
		b.WriteString("\n")
	}
	b.WriteString("| image | digest | platforms | whole |\n|---|---|---|---|\n")
	for _, i := range r.Images {
		whole, digest := "yes", ""
		if !i.Whole {
			whole = "**no**"
		}
		if i.Digest != "" {
			digest = "`" + i.Digest + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", text.MarkdownCode(i.Reference), digest, text.Markdown(i.Platforms.String()), whole)
	}
	return b.String()
}

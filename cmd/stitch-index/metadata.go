package main

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
)

// takeMetadata adds what --metadata says to the flags of the same meaning. The
// shape is that of docker/metadata-action's output json (its src/meta.ts,
// getJSON); other fields of it are passed over.
func (c *config) takeMetadata() error {
	if c.metadata == "" {
		return nil
	}
	var doc struct {
		Tags        []string          `json:"tags"`
		Labels      map[string]string `json:"labels"`
		Annotations []string          `json:"annotations"`
	}
	if err := json.Unmarshal([]byte(c.metadata), &doc); err != nil {
		return exit.Usagef("flag --metadata: %w", err).Hint("it takes ${{ steps.meta.outputs.json }}, where steps.meta is docker/metadata-action")
	}
	if len(doc.Tags) == 0 && len(c.tags) == 0 {
		return exit.Usagef("flag --metadata: it names no tag").Hint("docker/metadata-action has none for this event: see its input tags, or give --tag")
	}
	c.tags = append(c.tags, doc.Tags...)
	c.onImages = append(c.onImages, doc.Annotations...)
	for _, key := range slices.Sorted(maps.Keys(doc.Labels)) {
		c.build.ofMetadata = append(c.build.ofMetadata, key+"="+doc.Labels[key])
	}
	return nil
}

// describe adds labels and annotations to a request as far as the builder has
// them. What --label names, it has to have; what a metadata action lists for
// every builder is left out, and said so.
func (c *config) describe(env *command.Env, tool builder.Builder, r *builder.Request) error {
	switch {
	case len(c.build.ofMetadata) == 0:
	case tool.Has(builder.Label):
		r.Labels = append(slices.Clone(r.Labels), c.build.ofMetadata...)
	default:
		env.Log.Infof("note: the labels of --metadata are left out: the builder %s has none", tool.Name)
	}
	lines, err := c.annotations()
	if err != nil {
		return err
	}
	for _, a := range lines {
		if !a.on[manifestLevel] {
			continue
		}
		if !tool.Annotates() {
			env.Log.Infof("note: the annotation %s is left out: the builder %s writes none into an image's manifest", a.key, tool.Name)
			continue
		}
		r.Annotations = append(r.Annotations, builder.Annotation{Of: a.of, Text: a.key + "=" + a.value})
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/internal/registry"
)

// narrow says that an image is pinned to the digest of one platform's image,
// where its tag names an index that has more; else it returns "".
func (in *injector) narrow(ctx context.Context, image string) string {
	if in.cache == nil || !strings.Contains(image, "@") {
		return ""
	}
	if b, _ := in.images.find(image); b != nil {
		return "" // it is what was built
	}
	ref, err := registry.ParseReference(image)
	if err != nil {
		return ""
	}
	w := in.cache.Wider(ctx, ref)
	if w == nil {
		return ""
	}
	name, _, _ := strings.Cut(image, "@")
	which := "the index that has it"
	if !w.Has {
		which = "the index that the tag names now; the digest is of an older one"
	}
	return fmt.Sprintf("the digest in %s is of the image for one platform; write %s@%s for %s, %s", image, name, w.Index, w.Platforms, which)
}

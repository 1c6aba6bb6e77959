package affinity

import (
	"slices"
	"strconv"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// levels returns the x86-64 level that the images need on each platform of
// nodes, where that is more than the first. Node Feature Discovery runs on Linux
// alone.
func levels(images []Image) map[platform.Platform]int {
	most := map[platform.Platform]int{}
	for _, i := range images {
		least := map[platform.Platform]int{} // an image for amd64 and amd64/v3 runs on both
		for _, p := range i.Platforms {
			if p.OS != "linux" || p.Arch != "amd64" {
				continue
			}
			level, err := strconv.Atoi(strings.TrimPrefix(p.Variant, "v"))
			if err != nil || level < 1 || level > pod.MaxLevel {
				level = 1 // none, or one that nobody has a label for
			}
			if l, ok := least[p.Node()]; !ok || level < l {
				least[p.Node()] = level
			}
		}
		for p, level := range least {
			if level > 1 {
				most[p] = max(most[p], level)
			}
		}
	}
	return most
}

// wanting returns the requirement on the level that a term with these
// requirements lacks, if any. A node that has a level has those below it.
func (g group) wanting(rs []pod.Requirement) []pod.Requirement {
	if g.level == 0 {
		return nil
	}
	for level := g.level; level <= pod.MaxLevel; level++ {
		if slices.ContainsFunc(rs, func(r pod.Requirement) bool {
			return r.Key == pod.LevelLabel(level) && r.Operator == "In" && len(r.Values) == 1 && r.Values[0] == "true"
		}) {
			return nil
		}
	}
	return []pod.Requirement{pod.In(pod.LevelLabel(g.level), "true")}
}

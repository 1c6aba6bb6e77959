package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/pod"
)

// A nodeClass is what a cloud's node class says about the images of nodes:
// EC2NodeClass and AWSNodeTemplate of Amazon, AKSNodeClass of Azure,
// GCENodeClass of Google, NodeClass of EKS Auto Mode.
// https://karpenter.sh/docs/concepts/nodeclasses/#statusamis
type nodeClass struct {
	os     string          // of its nodes; empty if it is not known
	images map[string]bool // os/arch; nil if it is not known
}

func readNodeClass(group string, raw json.RawMessage) (name string, class *nodeClass, err error) {
	type image struct{ Requirements []pod.Requirement }
	var o struct {
		Metadata meta
		Spec     struct {
			AMIFamily        string
			AMISelectorTerms []struct{ Alias string }
		}
		Status struct{ AMIs, Images []image }
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return "", nil, err
	}
	c := &nodeClass{}
	switch group {
	case "karpenter.k8s.aws", "karpenter.azure.com", "karpenter.k8s.gcp", "eks.amazonaws.com":
		c.os = "linux" // but for Windows' families
	}
	families := []string{o.Spec.AMIFamily}
	for _, t := range o.Spec.AMISelectorTerms {
		families = append(families, t.Alias)
	}
	for _, f := range families {
		if strings.HasPrefix(strings.ToLower(f), "windows") {
			c.os, c.images = "windows", map[string]bool{"windows/amd64": true}
		}
	}
	for _, i := range slices.Concat(o.Status.AMIs, o.Status.Images) {
		os, arch := anyValue, anyValue
		for _, r := range i.Requirements {
			switch modern(r.Key) {
			case osLabel:
				os = os.and(r)
			case archLabel:
				arch = arch.and(r)
			}
		}
		if c.images == nil {
			c.images = map[string]bool{}
		}
		for _, o := range []string{"linux", "windows"} {
			for _, a := range []string{"amd64", "arm64"} {
				if arch.allows(a) && (os.open && (o == c.os || c.os == "") || !os.open && os.allows(o)) {
					c.images[o+"/"+a] = true
				}
			}
		}
	}
	return o.Metadata.Name, c, nil
}

// nodeClasses reads the node classes of pools, each kind of them once.
func (r *poolReader) nodeClasses(ctx context.Context, pools []*nodePool) map[classRef]*nodeClass {
	classes := map[classRef]*nodeClass{}
	seen := map[classRef]bool{}
	for _, np := range pools {
		ref := np.Spec.Template.Spec.NodeClassRef
		kind := classRef{Group: ref.group(), Kind: ref.Kind}
		if kind.Group == "" || kind.Kind == "" || seen[kind] || len(seen) == maxKinds {
			continue
		}
		seen[kind] = true
		r.details(ctx, objectKind{kind.Group, kind.Kind, "Karpenter's " + kind.Kind + " objects"}, func(raw json.RawMessage) error {
			name, class, err := readNodeClass(kind.Group, raw)
			classes[classRef{Group: kind.Group, Kind: kind.Kind, Name: name}] = class
			return err
		})
	}
	return classes
}

// maxKinds is how many kinds of objects pools may refer to.
const maxKinds = 20

// oses returns the operating systems of the nodes of a pool that asks for some.
// If neither says, it is linux: Windows must be requested.
func (c *nodeClass) oses(asked values) []string {
	switch {
	case c != nil && c.os != "" && asked.allows(c.os):
		return []string{c.os}
	case c != nil && c.os != "":
		return nil
	case asked.allows("linux"):
		return []string{"linux"}
	case asked.allows("windows"):
		return []string{"windows"}
	}
	return nil
}

func (c *nodeClass) hasImage(os, arch string) bool {
	return c == nil || c.images == nil || c.images[os+"/"+arch]
}

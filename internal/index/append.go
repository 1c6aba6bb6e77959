package index

import (
	"context"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// kept is what an older index gives to the new one.
type kept struct {
	images []*Image
	others []v1.Descriptor // entries that are for no platform
}

// readKept reads what the first tag names now. The images are not read: what
// the older index says of them stands.
func (s *stitching) readKept(ctx context.Context) (*kept, error) {
	ref := s.Target.Tag(s.Tags[0])
	m, ok, err := s.Client.Lookup(ctx, ref)
	if err != nil {
		return nil, err
	}
	k := &kept{}
	if !ok {
		s.note("%s does not exist yet: there is nothing to append to", ref)
		return k, nil
	}
	doc, err := parse(m, ref.String())
	if err != nil {
		return nil, err
	}
	at := remote{s.Client, s.Target}
	if doc.MediaType.IsImage() {
		i := &Image{Source: Source{Ref: ref.String()}, Manifest: m, place: at}
		k.images = []*Image{i}
		return k, s.readImage(ctx, i, doc)
	}
	attestations := map[string][]v1.Descriptor{}
	for _, d := range doc.Manifests {
		switch p := platformOf(d); {
		case d.Annotations[referenceType] != "":
			of := d.Annotations[referenceDigest]
			attestations[of] = append(attestations[of], d)
		case p == nil:
			k.others = append(k.others, d)
		default:
			k.images = append(k.images, &Image{
				Source: Source{Ref: ref.String()}, Platform: *p, Descriptor: d, place: at,
			})
		}
	}
	for _, i := range k.images {
		for _, d := range attestations[i.Descriptor.Digest.String()] {
			i.Attestations = append(i.Attestations, Attestation{Descriptor: d})
		}
	}
	return k, nil
}

// merge adds the kept images for whose platform there is no new one.
func (k *kept) merge(images []*Image) []*Image {
	all := slices.Clone(images)
	for _, old := range k.images {
		if !slices.ContainsFunc(images, func(i *Image) bool { return samePlatform(i, old) }) {
			all = append(all, old)
		}
	}
	return all
}

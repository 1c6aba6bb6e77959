package readiness

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/pod"
)

// A Found is an object with a PodSpec, as it was read.
type Found struct {
	APIVersion, Kind string
	Namespace, Name  string
	Path             string // of the PodSpec: spec.template.spec
	File             string
	Line             int
	Architecture     string // that a virtual machine is for beside its images
	Spec             pod.Spec
	Object, PodSpec  []byte // JSON, every scalar a string
}

// A Collector takes the objects of a stream and keeps one workload for each
// that has to run: Pods count as what owns them.
type Collector struct {
	own  []*entry        // in their order
	of   map[key]*entry  // of own, by the object; the first of several PodSpecs
	uids map[string]bool // with the path of the PodSpec
	made map[key]*made   // what owners have made, by the owner
}

// A key names an object. The API version is left out: it is a form of the
// object, not another one.
type key struct{ group, namespace, kind, name string }

type entry struct {
	*Workload
	owner *key // that controls it
}

// A made is what the objects of one owner say of it, folded into one: a
// cluster has many more Pods than workloads.
type made struct {
	best    *Workload // its template: that of the newest ReplicaSet, or of a Pod
	rank    int       // of best
	pods    int
	live    map[string]seen // containers of the Pods that run, by name
	above   *key            // the owner's owner, as far as its Pods tell
	ordered []string        // names in live
}

// seen is a container of a Pod.
type seen struct {
	image, digest string
	init          bool
}

func group(apiVersion string) string {
	g, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return ""
	}
	return g
}

// Add takes an object.
func (c *Collector) Add(f Found) error {
	if c.of == nil {
		c.of, c.uids, c.made = map[key]*entry{}, map[string]bool{}, map[key]*made{}
	}
	var o object
	if err := json.Unmarshal(f.Object, &o); err != nil {
		return err
	}
	if uid := o.Metadata.v.UID.v; uid != "" {
		if c.uids[uid+f.Path] { // kubectl get all,deploy prints it twice
			return nil
		}
		c.uids[uid+f.Path] = true
	}
	var s podSpec
	if err := json.Unmarshal(f.PodSpec, &s); err != nil {
		return err
	}
	w := newWorkload(f, o, s)
	owner := o.controller(w.Namespace)
	if w.Kind == "Pod" {
		w.status(o)
	}
	if owner != nil && owner.kind == "Node" && owner.group == "" { // the mirror of a static Pod
		owner = nil
	}
	if owner != nil && (w.Kind == "Pod" || w.Kind == "ReplicaSet" || w.Kind == "Job") {
		c.fold(*owner, w, o)
		if w.Kind == "Pod" {
			return nil
		}
	}
	e := &entry{Workload: w, owner: owner}
	c.own = append(c.own, e)
	k := key{strings.Clone(group(w.APIVersion)), w.Namespace, w.Kind, w.Name}
	if c.of[k] == nil {
		c.of[k] = e
	}
	return nil
}

// controller returns what controls an object.
func (o object) controller(namespace string) *key {
	for _, r := range o.Metadata.v.OwnerReferences.v {
		if r.v.Controller.v == "true" && r.v.Kind.v != "" && r.v.Name.v != "" {
			return &key{group(r.v.APIVersion.v), namespace, r.v.Kind.v, r.v.Name.v}
		}
	}
	return nil
}

// status takes the digests that a Pod runs.
func (w *Workload) status(o object) {
	for _, all := range [][]loose[containerStatus]{o.Status.v.InitContainerStatuses.v, o.Status.v.ContainerStatuses.v} {
		for _, s := range all {
			for n := range w.Containers {
				if w.Containers[n].Name == s.v.Name.v {
					w.Containers[n].Digest = digestOf(s.v.ImageID.v)
				}
			}
		}
	}
}

// digestOf returns the digest of an imageID: docker-pullable://REPO@DIGEST or
// REPO@DIGEST. One without a repository is that of a config, which no registry
// knows.
func digestOf(imageID string) string {
	_, d, ok := strings.Cut(imageID, "@")
	if !ok || len(d) != len("sha256:")+64 || !strings.HasPrefix(d, "sha256:") || strings.Trim(d[7:], "0123456789abcdef") != "" {
		return ""
	}
	return d
}

// hashes are the labels by which a ReplicaSet's name ends.
var hashes = []struct{ label, group, kind string }{
	{"pod-template-hash", "apps", "Deployment"},
	{"rollouts-pod-template-hash", "argoproj.io", "Rollout"},
}

// fold notes what an object says of its owner.
func (c *Collector) fold(owner key, w *Workload, o object) {
	m := c.made[owner]
	if m == nil {
		m = &made{rank: -1}
		c.made[owner] = m
	}
	rank := 1 // a Pod
	if w.Kind == "Job" {
		rank = 2
	}
	if w.Kind == "ReplicaSet" {
		revision := count(o.Metadata.v.Annotations.v["deployment.kubernetes.io/revision"].v, 0)
		rank = 2 + revision
		if w.Pods > 0 {
			rank += maxPods
		}
	}
	if o.over() {
		rank = 0
	}
	if rank > m.rank {
		m.best, m.rank = w, rank
	}
	m.pods += w.Pods
	if w.Kind != "Pod" || o.over() {
		return
	}
	if m.live == nil {
		m.live = map[string]seen{}
	}
	for _, k := range w.Containers {
		if old, known := m.live[k.Name]; !known || old.digest == "" {
			m.live[k.Name] = seen{k.Image, k.Digest, k.Init}
			if !known {
				m.ordered = append(m.ordered, k.Name)
			}
		}
	}
	for _, h := range hashes {
		hash := o.Metadata.v.Labels.v[h.label].v
		if name, ok := strings.CutSuffix(owner.name, "-"+hash); ok && hash != "" && owner.kind == "ReplicaSet" {
			m.above = &key{h.group, owner.namespace, h.kind, strings.Clone(name)}
			break
		}
	}
}

// maxOwners is how far up owners are followed, who may own each other.
const maxOwners = 8

// Workloads returns what there is to run, by namespace, kind and name.
func (c *Collector) Workloads() []*Workload {
	// Who is above an object: an owner that is in the stream, or one that its
	// Pods tell of.
	above := func(k key) *key {
		if e := c.of[k]; e != nil {
			if e.owner != nil && (c.of[*e.owner] != nil || e.Kind == "ReplicaSet" || e.Kind == "Job") {
				return e.owner
			}
			return nil
		}
		if m := c.made[k]; m != nil {
			return m.above
		}
		return nil
	}
	top := func(k key) key {
		at := k
		for range maxOwners {
			next := above(at)
			if next == nil {
				return at
			}
			at = *next
		}
		return k // owners of each other: each stands for itself
	}
	byTop := map[key][]*made{}
	for _, k := range slices.SortedFunc(maps.Keys(c.made), compareKeys) {
		t := top(k)
		byTop[t] = append(byTop[t], c.made[k])
	}
	var out []*Workload
	several := map[key]int{}
	paths, places := map[key]map[string]bool{}, map[key]map[string]bool{} // of one name: PodSpecs of an object, and objects in several files
	for _, e := range c.own {
		k := e.key()
		if several[k]++; paths[k] == nil {
			paths[k], places[k] = map[string]bool{}, map[string]bool{}
		}
		paths[k][e.Path] = true
		places[k][e.File] = true
	}
	for _, e := range c.own {
		k := e.key()
		if top(k) != k {
			continue // it counts as its owner
		}
		if len(paths[k]) == 1 {
			e.Path = ""
		}
		e.again = len(places[k]) > 1
		if e.owner != nil {
			e.Owner = e.owner.kind + "/" + e.owner.name
		}
		for _, m := range byTop[k] {
			if several[k] == 1 { // else it is not known which of its PodSpecs a Pod is of
				e.take(m)
			}
		}
		out = append(out, e.Workload)
	}
	for _, k := range slices.SortedFunc(maps.Keys(byTop), compareKeys) {
		if c.of[k] != nil {
			continue
		}
		out = append(out, absent(k, byTop[k]))
	}
	slices.SortStableFunc(out, func(a, b *Workload) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name), strings.Compare(a.Path, b.Path))
	})
	return out
}

func (e *entry) key() key { return key{group(e.APIVersion), e.Namespace, e.Kind, e.Name} }

func compareKeys(a, b key) int {
	return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.kind, b.kind), strings.Compare(a.name, b.name), strings.Compare(a.group, b.group))
}

// absent makes the workload of an owner that is not in the stream, from what it
// has made.
func absent(k key, all []*made) *Workload {
	best := all[0]
	pods := 0
	for _, m := range all {
		if m.rank > best.rank {
			best = m
		}
	}
	for _, m := range all {
		if best.best.Kind == "Pod" || m.best.Kind != "Pod" { // a ReplicaSet has counted its Pods
			pods += m.pods
		}
	}
	w := *best.best
	w.Containers = slices.Clone(w.Containers)
	w.Kind, w.Name, w.Path, w.APIVersion, w.Pods = k.kind, k.name, "", "", pods
	for _, m := range all {
		w.take(m)
	}
	return &w
}

// take adds to a workload what its Pods run beside its own containers, and the
// digests of those.
func (w *Workload) take(m *made) {
	for _, name := range m.ordered {
		live := m.live[name]
		n := slices.IndexFunc(w.Containers, func(c Container) bool { return c.Name == name })
		switch {
		case n < 0:
			w.Containers = append(w.Containers, Container{Name: name, Image: live.image, Digest: live.digest, Init: live.init, Injected: true})
		case w.Containers[n].Image == live.image && live.digest != "":
			w.Containers[n].Digest = live.digest
		}
	}
}

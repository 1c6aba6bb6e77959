package kubeyaml

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

const (
	tektonTask = "its images are those of the steps, and the Pod that runs them follows the podTemplate of a TaskRun or PipelineRun; set podTemplate.affinity there"
	strimzi    = "its operator chooses the images; those of Strimzi are built for several platforms, another one of yours needs node affinity at spec.*.template.pod.affinity"
	coreos     = "its operator chooses the images unless spec.image does; set spec.affinity to the platforms that they have in common"
	flinkWhy   = "the affinity of one podTemplate replaces that of another, or there is none; give it spec.image and spec.podTemplate.spec alone, or set affinity in each podTemplate"
	sparkWhy   = "spec.image decides where its Pods can run, and they have no template of their own; add spec.driver.template.spec and spec.executor.template.spec, or set affinity there"
	kubevirtVM = "neither an architecture nor a containerDisk says what it needs; set spec.template.spec.architecture"
	virtWhy    = "neither an architecture nor a containerDisk says what it needs; set the architecture"
)

// elsewhere are kinds whose Pods run images that do not stand in a PodSpec,
// with why an object of theirs is not changed and what to do. Some have rows
// in the table as well, which take those of which all is known.
var elsewhere = map[string]string{
	"tekton.dev/Task":        tektonTask,
	"tekton.dev/ClusterTask": tektonTask,
	"tekton.dev/StepAction":  tektonTask,
	"tekton.dev/Pipeline":    tektonTask,
	"tekton.dev/PipelineRun": "each of its tasks has images of its own; set spec.taskRunTemplate.podTemplate.affinity to the platforms that they have in common, or spec.taskRunSpecs[*].podTemplate.affinity for one",
	"tekton.dev/TaskRun":     "its images are in the Task that it names, or it has no podTemplate; with a taskSpec of its own, spec.podTemplate: {} is enough, else set spec.podTemplate.affinity",

	"kafka.strimzi.io/Kafka":             strimzi,
	"kafka.strimzi.io/KafkaNodePool":     strimzi,
	"kafka.strimzi.io/KafkaConnect":      strimzi,
	"kafka.strimzi.io/KafkaBridge":       strimzi,
	"kafka.strimzi.io/KafkaMirrorMaker":  strimzi,
	"kafka.strimzi.io/KafkaMirrorMaker2": strimzi,

	"kubevirt.io/VirtualMachine":                   kubevirtVM,
	"kubevirt.io/VirtualMachineInstance":           virtWhy,
	"kubevirt.io/VirtualMachineInstanceReplicaSet": virtWhy,
	"pool.kubevirt.io/VirtualMachinePool":          virtWhy,

	"sparkoperator.k8s.io/SparkApplication":          sparkWhy,
	"sparkoperator.k8s.io/ScheduledSparkApplication": sparkWhy,
	"flink.apache.org/FlinkDeployment":               flinkWhy,

	"opentelemetry.io/OpenTelemetryCollector": coreos,
	"opentelemetry.io/TargetAllocator":        coreos,
	"monitoring.coreos.com/Prometheus":        coreos,
	"monitoring.coreos.com/PrometheusAgent":   coreos,
	"monitoring.coreos.com/Alertmanager":      coreos,
	"monitoring.coreos.com/ThanosRuler":       coreos,
	"ceph.rook.io/CephCluster":                "its operator runs spec.cephVersion.image on each node; set spec.placement.all.nodeAffinity to the platforms of that image",
	"argoproj.io/ArgoCD":                      "its operator chooses the images; set spec.nodePlacement to nodes of their platforms",
	"argoproj.io/EventSource":                 "its controller chooses the image; set spec.template.affinity to its platforms",
	"argoproj.io/Sensor":                      "its controller chooses the image; set spec.template.affinity to its platforms, and pin what its triggers create where that is kept",
	"argoproj.io/EventBus":                    "its controller chooses the image; set spec.*.*.affinity to its platforms",
}

// elsewhereGroups are the API groups of those kinds, by which their documents
// are found before they are read.
var elsewhereGroups = func() [][]byte {
	var out [][]byte
	seen := map[string]bool{}
	for kind := range elsewhere {
		if g, _, _ := strings.Cut(kind, "/"); !seen[g] {
			seen[g] = true
			out = append(out, []byte(g+"/"))
		}
	}
	return out
}()

// imageKeys are what APIs call an image outside a container.
var imageKeys = []string{"image", "imageName", "containerImage", "dockerImage"}

// mayName reports whether a text may hold an object that runs images outside a
// PodSpec.
func mayName(text []byte) bool {
	if bytes.Contains(text, []byte("CustomResourceDefinition")) {
		return false
	}
	if inElsewhere(text) {
		return true
	}
	return bytes.Contains(text, []byte("mage")) && custom.Match(text) && imageEntry.Match(text)
}

// inElsewhere reports whether a text may hold an object of a kind in elsewhere.
func inElsewhere(text []byte) bool {
	if !slices.ContainsFunc(elsewhereGroups, func(g []byte) bool { return bytes.Contains(text, g) }) {
		return false
	}
	for _, m := range custom.FindAllSubmatch(text, -1) { // the word is in labels as well
		if slices.ContainsFunc(elsewhereGroups, func(g []byte) bool { return bytes.Equal(m[1], g) }) {
			return true
		}
	}
	return false
}

var (
	custom     = regexp.MustCompile(`apiVersion["']?[ \t]*:[ \t]*["']?([a-z0-9-]+\.[a-z0-9.-]+/)`)
	imageEntry = regexp.MustCompile(`(?:i|containerI|dockerI)mage(?:Name)?["']?[ \t]*:`)
	imageLike  = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9._-]*(?::[0-9]+)?(?:/[A-Za-z0-9._-]+)*(?:[:@][A-Za-z0-9._:-]+)?$`)
)

// unnamed notes that an object runs images outside a PodSpec, none of which was
// looked at: those of a kind that is known to, and those of custom resources
// that name one.
func (d *Document) unnamed(obj *node, kind string) error {
	kind = strings.TrimPrefix(kind, "/")
	if why := elsewhere[kind]; why != "" {
		d.Unread = append(d.Unread, Unread{Kind: kind, Line: obj.line, Why: why})
		return nil
	}
	g, _, custom := strings.Cut(kind, "/")
	if !custom || !strings.Contains(g, ".") || strings.HasSuffix(g, ".k8s.io") && !strings.HasSuffix(g, ".x-k8s.io") || strings.HasPrefix(g, "kustomize.") {
		return nil
	}
	path, at, err := d.imageIn(obj, "", 0)
	if err == nil && at != nil {
		d.Unread = append(d.Unread, Unread{Kind: kind, Line: at.line, Why: "it names an image at " + path + ", outside a PodSpec; if Pods run that, set node affinity where the API of " + kind + " takes it"})
	}
	return err
}

// complete reports whether the workloads of an object are all that it runs, as
// far as that is known.
func (d *Document) complete(obj *node, apiVersion, kind string, found []*Workload) bool {
	if !slices.ContainsFunc(found, func(w *Workload) bool { return len(w.Spec.Containers) > 0 || w.Architecture != "" }) {
		return false
	}
	for _, p := range d.reader.Kinds.specPaths(apiVersion, kind) {
		if f := p.form; f == nil || !f.needed || f.unless != "" && present(obj, strings.Split(f.unless, ".")) {
			continue
		}
		if path := strings.Join(p.path, "."); !slices.ContainsFunc(found, func(w *Workload) bool { return w.path == path }) {
			return false
		}
	}
	return true
}

// imageIn returns the first value that looks like an image, and its path.
func (d *Document) imageIn(n *node, path string, depth int) (string, *node, error) {
	if depth > maxUnread {
		return "", nil, nil
	}
	if err := d.visit(n); err != nil {
		return "", nil, err
	}
	n = n.resolve()
	for i, kid := range n.kids {
		below := path + "[*]"
		if n.kind == mapping {
			key := n.keys[i].resolve()
			if key.kind != scalar || n.keys[i].isMerge() || depth == 0 && slices.Contains([]string{"items", "status", "metadata"}, key.value) {
				continue
			}
			below = strings.TrimPrefix(path+"."+key.value, ".")
			if v := kid.resolve(); v.kind == scalar && slices.Contains(imageKeys, key.value) && strings.ContainsAny(v.str(), "/:") && imageLike.MatchString(v.str()) {
				return below, kid, nil
			}
		}
		if p, at, err := d.imageIn(kid, below, depth+1); err != nil || at != nil {
			return p, at, err
		}
	}
	return "", nil, nil
}

// present reports whether something stands at a path from m on.
func present(m *node, path []string) bool {
	if m == nil {
		return false
	}
	if len(path) == 0 {
		return true
	}
	key, all := strings.CutSuffix(path[0], "[*]")
	v := child(m, key)
	if v != nil && all {
		return slices.ContainsFunc(v.kids, func(item *node) bool { return present(item.resolve(), path[1:]) })
	}
	return present(v, path[1:])
}

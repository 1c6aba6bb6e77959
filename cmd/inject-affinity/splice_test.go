// Longer than 350 lines: a fuzz target with the readers that judge it.

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/internal/affinity"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// A value is what a scalar means: its YAML tag and its text.
type value struct{ tag, text string }

var errModel = errors.New("the model does not cover this")

// objects decodes a whole stream into maps, lists and values, with aliases and
// merge keys resolved. It is the model that spliced texts are compared with.
func objects(in string) ([]any, error) {
	var out []any
	if strings.HasPrefix(strings.TrimLeft(in, " \t\r\n"), "{") && json.Valid([]byte(in)) {
		dec := json.NewDecoder(strings.NewReader(in))
		dec.UseNumber()
		var v any
		err := dec.Decode(&v)
		return append(out, fromJSON(v)), err
	}
	dec := yaml.NewDecoder(strings.NewReader(in))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		budget := 5000
		v, err := fromYAML(&n, &budget)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

func fromJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[any]any{}
		for k, e := range v {
			m[value{"!!str", k}] = fromJSON(e)
		}
		return m
	case []any:
		for i := range v {
			v[i] = fromJSON(v[i])
		}
		return v
	case string:
		return value{"!!str", v}
	case nil:
		return value{"!!null", ""}
	}
	return value{"", fmt.Sprint(v)}
}

func fromYAML(n *yaml.Node, budget *int) (any, error) {
	if *budget--; *budget < 0 {
		return nil, errModel
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return fromYAML(n.Content[0], budget)
	case yaml.AliasNode:
		return fromYAML(n.Alias, budget)
	case yaml.SequenceNode:
		l := []any{}
		for _, c := range n.Content {
			v, err := fromYAML(c, budget)
			if err != nil {
				return nil, err
			}
			l = append(l, v)
		}
		return l, nil
	case yaml.MappingNode:
		m, merged := map[any]any{}, map[any]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			val, err := fromYAML(v, budget)
			if err != nil {
				return nil, err
			}
			if k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Style == 0 {
				from, ok := val.(map[any]any)
				if !ok || len(merged) > 0 {
					return nil, errModel
				}
				merged = from
				continue
			}
			key := any(value{"!!str", k.Value})
			if _, twice := m[key]; twice || k.Kind != yaml.ScalarNode {
				return nil, errModel
			}
			m[key] = val
		}
		for k, v := range merged {
			if _, own := m[k]; !own {
				m[k] = v
			}
		}
		return m, nil
	}
	if n.ShortTag() == "!!null" {
		return value{"!!null", ""}, nil
	}
	return value{n.ShortTag(), n.Value}, nil
}

// at returns an entry of a map.
func at(v any, path ...string) any {
	for _, key := range path {
		m, ok := v.(map[any]any)
		if !ok {
			return nil
		}
		v = m[value{"!!str", key}]
	}
	if v == (any)(value{"!!null", ""}) {
		return nil
	}
	return v
}

func textOf(v any) string {
	if v, ok := v.(value); ok && v.tag != "!!null" {
		return v.text
	}
	return ""
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

var modelPaths = map[string][]string{
	"v1 Pod": {"spec"}, "v1 PodTemplate": {"template", "spec"}, "batch CronJob": {"spec", "jobTemplate", "spec", "template", "spec"},
	"v1 ReplicationController": templated, "apps Deployment": templated, "apps StatefulSet": templated, "apps DaemonSet": templated, "apps ReplicaSet": templated,
	"extensions Deployment": templated, "extensions DaemonSet": templated, "extensions ReplicaSet": templated, "batch Job": templated, "argoproj.io Rollout": templated, "serving.knative.dev Service": templated,
}

var templated = []string{"spec", "template", "spec"}

// pinned edits an object of the model as the text should be edited. What it
// does not say of itself, the list that it is in says.
func pinned(obj any, listVersion, listKind string) {
	apiVersion, kind := textOf(at(obj, "apiVersion")), textOf(at(obj, "kind"))
	if apiVersion == "" && kind == "" {
		apiVersion, kind = listVersion, listKind
	}
	if kind != "" {
		for _, item := range list(at(obj, "items")) {
			pinned(item, apiVersion, strings.TrimSuffix(kind, "List"))
		}
	}
	group, _, _ := strings.Cut(apiVersion, "/")
	path := modelPaths[group+" "+kind]
	spec, ok := at(obj, path...).(map[any]any)
	if !ok || path == nil || apiVersion == "apps/v1" && at(obj, "spec", "selector") == nil { // a patch
		return
	}
	s := pod.Spec{NodeName: textOf(at(spec, "nodeName"))}
	var images []affinity.Image
	for _, field := range []string{"initContainers", "containers"} {
		for _, c := range list(at(spec, field)) {
			image := at(c, "image")
			if image == nil {
				continue
			}
			var known platform.List
			if t := textOf(image); t == "hello" || t == builtImage {
				known = builtPlatforms
				c.(map[any]any)[value{"!!str", "image"}] = value{"!!str", builtImage}
			}
			images = append(images, affinity.Image{Platforms: known})
		}
	}
	for k, v := range mapOf(at(spec, "nodeSelector")) {
		s.NodeSelector = append(s.NodeSelector, pod.In(k.(value).text, v.(value).text))
	}
	required := at(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
	terms := list(at(required, "nodeSelectorTerms"))
	s.Required = required != nil
	for _, t := range terms {
		s.Terms = append(s.Terms, pod.Term{Expressions: modelRequirements(at(t, "matchExpressions")), Fields: modelRequirements(at(t, "matchFields"))})
	}
	for _, t := range list(at(spec, "tolerations")) {
		s.Tolerations = append(s.Tolerations, pod.Toleration{Key: textOf(at(t, "key")), Operator: textOf(at(t, "operator")), Value: textOf(at(t, "value")), Effect: textOf(at(t, "effect"))})
	}
	change, err := affinity.Plan(s, images, affinity.Options{})
	if err != nil {
		panic(err) // the program refused it as well
	}
	if len(change.New) > 0 {
		var fresh []any
		for _, t := range change.New {
			fresh = append(fresh, object("matchExpressions", treeOf(t.Expressions)))
		}
		enter(enter(enter(spec, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution")[value{"!!str", "nodeSelectorTerms"}] = fresh
	}
	var copies []any
	for i, forms := range change.Existing {
		for n, add := range forms {
			t := object()
			for k, v := range mapOf(terms[i]) {
				t[k] = v
			}
			if len(add) > 0 {
				t[value{"!!str", "matchExpressions"}] = append(treeOf(add), list(at(terms[i], "matchExpressions"))...)
			}
			if n < len(forms)-1 {
				copies = append(copies, t)
			} else {
				terms[i] = t
			}
		}
	}
	if len(copies) > 0 {
		required.(map[any]any)[value{"!!str", "nodeSelectorTerms"}] = append(copies, terms...)
	}
	if add := affinity.Tolerations(s, images, []pod.Taint{{Key: affinity.LabelArch, Value: "arm64", Effect: "NoSchedule"}}); len(add) > 0 && s.NodeName == "" {
		spec[value{"!!str", "tolerations"}] = append([]any{object("key", str(add[0].Key), "operator", str("Equal"), "value", str("arm64"), "effect", str("NoSchedule"))}, list(at(spec, "tolerations"))...)
	}
}

func mapOf(v any) map[any]any {
	m, _ := v.(map[any]any)
	return m
}

func enter(m map[any]any, key string) map[any]any {
	if next := mapOf(at(m, key)); next != nil {
		return next
	}
	next := object()
	m[value{"!!str", key}] = next
	return next
}

func str(s string) value { return value{"!!str", s} }

func object(kv ...any) map[any]any {
	m := map[any]any{}
	for i := 0; i < len(kv); i += 2 {
		m[str(kv[i].(string))] = kv[i+1]
	}
	return m
}

func modelRequirements(v any) []pod.Requirement {
	var out []pod.Requirement
	for _, e := range list(v) {
		r := pod.Requirement{Key: textOf(at(e, "key")), Operator: textOf(at(e, "operator"))}
		for _, v := range list(at(e, "values")) {
			r.Values = append(r.Values, textOf(v))
		}
		out = append(out, r)
	}
	return out
}

func treeOf(rs []pod.Requirement) []any {
	var out []any
	for _, r := range rs {
		var values []any
		for _, v := range r.Values {
			values = append(values, str(v))
		}
		out = append(out, object("key", str(r.Key), "operator", str(r.Operator), "values", values))
	}
	return out
}

const builtImage = "r.io/hello:1"

var builtPlatforms = platform.NewList(platform.Platform{OS: "linux", Arch: "arm64"}, platform.Platform{OS: "linux", Arch: "386"}, platform.Platform{OS: "windows", Arch: "amd64"})

// spliced checks a text: splice then parse is parse then edit, the second run
// changes nothing, and the diff is made of what was asked for.
func spliced(t *testing.T, in string) {
	t.Helper()
	argv := []string{"--quiet", "--offline", "--on-unknown", "skip", "--taints", affinity.LabelArch + "=arm64:NoSchedule", "--image", "hello=" + builtImage + ";" + builtPlatforms.String()}
	out, errs, code := inject(t, in, argv...)
	if code != 0 {
		if out != "" || errs == "" {
			t.Fatalf("%q: code %d, and on standard output %q", in, code, out)
		}
		return
	}
	want, err := objects(in)
	if err != nil { // what has no PodSpec need not parse
		return
	}
	for _, obj := range want {
		pinned(obj, "", "")
	}
	got, err := objects(out)
	if err != nil {
		t.Fatalf("%q became\n%s\nwhich does not parse: %v", in, out, err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(value{})); d != "" {
		t.Fatalf("%q became\n%s\nparse then edit (-), splice then parse (+):\n%s", in, out, d)
	}
	again, errs, code := inject(t, out, argv...)
	if code != 0 || again != out {
		t.Fatalf("%q: the second run, code %d, changed\n%s\nto\n%s\n%s", in, code, out, again, errs)
	}
	if kept := withoutInserts(in, out); kept != "" && !strings.Contains(in, "*") { // an alias makes room for an image
		t.Fatalf("%q became\n%s\nwhich lost %q", in, out, kept)
	}
}

// withoutInserts returns the first line of in, images and nulls aside, that is
// not in out, in order.
func withoutInserts(in, out string) string {
	strip := func(s string) string {
		for _, word := range []string{builtImage, "hello", " null", " Null", " NULL", " ~"} {
			s = strings.ReplaceAll(s, word, "")
		}
		return s
	}
	in, out = strip(in), strip(out)
	at := 0
	for i := range len(in) { // in is a subsequence of out
		n := strings.IndexByte(out[at:], in[i])
		if n < 0 {
			return in[i:]
		}
		at += n + 1
	}
	return ""
}

func FuzzSplice(f *testing.F) {
	for _, in := range shapes(f) {
		f.Add(in)
	}
	f.Fuzz(spliced)
}

func TestShapes(t *testing.T) {
	for _, in := range shapes(t) {
		spliced(t, in)
		crlf := strings.ReplaceAll(in, "\n", "\r\n")
		spliced(t, crlf)
		spliced(t, strings.TrimRight(in, "\n"))
		spliced(t, "\uFEFF"+in)
		spliced(t, in+"---\n"+in)
		spliced(t, "# c\n--- # d\n"+in+"...\n# e\n")
	}
}

// shapes returns PodSpecs in all ways of writing them.
func shapes(t testing.TB) []string {
	t.Helper()
	specs := []string{
		"containers: [{image: hello}]",
		"nodeSelector: {kubernetes.io/os: linux}\ncontainers:\n- image: hello",
		"containers:\n  - name: a # x\n    image: 'hello'   # y\n  - image: \"hello\"\ninitContainers: []",
		"# first\ncontainers:\n- image: hello\naffinity: {}",
		"affinity: null # none\ncontainers:\n- image: hello",
		"affinity:\n\n# end\ncontainers:\n- image: hello",
		"containers:\n- image: hello\ntolerations:",
		"tolerations: []\ncontainers:\n- image: hello",
		"tolerations:\n- operator: Exists\ncontainers:\n- image: hello",
		"tolerations: [{key: a, operator: Exists}]\ncontainers:\n- image: hello",
		"affinity:\n  nodeAffinity:\n    requiredDuringSchedulingIgnoredDuringExecution:\n      nodeSelectorTerms:\n      - matchExpressions:\n        - {key: spot, operator: DoesNotExist}\n      - matchFields:\n        - key: metadata.name\n          operator: In\n          values: [n1]\n      - {}\n      -\n        matchExpressions: []\n      - matchExpressions:\n        - key: kubernetes.io/os\n          operator: In\n          values: [linux]\n        matchFields: []\ncontainers:\n- image: hello",
		"affinity: {podAffinity: {}, nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: spot, operator: Exists}]}]}}}\ncontainers: [{image: hello}]",
		"affinity:\n    nodeAffinity:\n        preferredDuringSchedulingIgnoredDuringExecution: []\ncontainers:\n- image: hello\n- image: other",
		"initContainers:\n-\ncontainers:\n- image: hello",
		"affinity:\n  nodeAffinity:\n    requiredDuringSchedulingIgnoredDuringExecution:\n      nodeSelectorTerms:\n      - matchExpressions: [{key: spot, oper: Exists}]\ncontainers:\n- image: hello",
		"nodeName: n1\ncontainers:\n- image: hello",
		"containers:\n- image: |-\n    hello\n  args: [\"a\\tb\"]",
		"containers:\n-   image: hello\n    command:\n      - sh\n      - |\n        # no comment\n        exit\n",
	}
	wraps := []string{
		"apiVersion: v1\nkind: Pod\nspec:\n%s\n",
		"kind: CronJob\napiVersion: batch/v1\nmetadata: {name: a}\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n%s\n# last",
		"apiVersion: v1\nkind: List\nitems:\n- kind: Service\n  apiVersion: v1\n  spec: {}\n- kind: Pod\n  apiVersion: v1\n  spec:\n%s\n- kind: Job\n  apiVersion: batch/v1\n  spec:\n    template:\n      spec:\n%[1]s\n",
		"apiVersion: v1\nkind: PodTemplate\ntemplate:\n    metadata: {}\n    spec:\n%s\n",
	}
	var out []string
	for _, s := range specs {
		for _, w := range wraps {
			indent := "        "
			out = append(out, fmt.Sprintf(w, indent+strings.ReplaceAll(s, "\n", "\n"+indent)))
		}
		out = append(out, asJSON(t, s, ""), asJSON(t, s, "\t"), asJSON(t, s, "  "))
	}
	return append(out,
		"kind: Pod\napiVersion: v1\nmetadata: &m {name: a}\nspec:\n  containers:\n  - image: &i hello\n  - image: *i\n",
		"kind: List\napiVersion: v1\nitems:\n- &p\n  kind: Pod\n  apiVersion: v1\n  spec: {containers: [{image: hello}]}\n- *p\n",
		"base: &b\n  restartPolicy: Never\n  dnsPolicy: Default\nkind: Pod\napiVersion: v1\nspec:\n  <<: *b\n  containers: &c\n  - image: hello\n  initContainers: *c\n",
		"x: &x {image: hello}\nkind: Pod\napiVersion: v1\nspec:\n  tolerations: &t []\n  containers:\n  - *x\n  - <<: *x\n    name: b\n  - {image: !!str hello}\n",
		"---\n{\n  kind: \"Pod\",\n  apiVersion: \"v1\",\n  spec: {\n    containers: [{\n      image: \"hello\",\n    }],\n    tolerations: [{\n      key: \"x\",\n    }, {\n      key: \"y\",\n    }],\n  },\n}\n",
		"{\"kind\": \"Pod\", \"apiVersion\": \"v1\", \"spec\": {\"containers\": [{\"image\": \"hello\", \"name\": \"\\/\\ud83d\\ude00\"}]}}",
	)
}

// asJSON returns a Pod with that spec as JSON.
func asJSON(t testing.TB, spec, indent string) string {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(spec), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"kind": "Pod", "apiVersion": "v1", "spec": v})
	if err != nil {
		t.Fatal(err)
	}
	if indent == "" {
		return string(b)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", indent); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

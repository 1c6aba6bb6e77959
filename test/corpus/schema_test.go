package corpus_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	extensionsv1beta1 "k8s.io/api/extensions/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/polyarch/polyarch/internal/kubeyaml"
)

// A definition is what matters of a CustomResourceDefinition.
type definition struct {
	Kind string
	Spec struct {
		Group    string
		Names    struct{ Kind string }
		Versions []struct {
			Name   string
			Schema struct{ OpenAPIV3Schema map[string]any }
		}
		Validation struct{ OpenAPIV3Schema map[string]any }
	}
}

// definitions returns the schemas of all definitions in the modules, by kind,
// and what kubeyaml learns from the same files.
func definitions(t *testing.T) (schemas map[string][]map[string]any, learned map[string][]string) {
	t.Helper()
	schemas, learned = map[string][]map[string]any{}, map[string][]string{}
	for _, path := range files(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b, []byte("CustomResourceDefinition")) || !bytes.Contains(b, []byte("openAPIV3Schema")) {
			continue
		}
		for doc := range strings.SplitSeq("\n"+string(b), "\n---") {
			var d definition
			if yaml.Unmarshal([]byte(doc), &d) != nil || d.Kind != "CustomResourceDefinition" {
				continue
			}
			kind := d.Spec.Group + "/" + d.Spec.Names.Kind
			for _, v := range d.Spec.Versions {
				schemas[kind] = append(schemas[kind], v.Schema.OpenAPIV3Schema)
			}
			schemas[kind] = append(schemas[kind], d.Spec.Validation.OpenAPIV3Schema)
		}
		if strings.Contains(string(b), "{{") {
			continue // of a Helm chart
		}
		holders, err := kubeyaml.Definitions(bytes.NewReader(b))
		if err != nil {
			t.Logf("%s: %v", path, err)
		}
		for _, h := range holders {
			if !slices.Contains(learned[h.Kind], h.Path) {
				learned[h.Kind] = append(learned[h.Kind], h.Path)
			}
		}
	}
	return schemas, learned
}

// follow goes down a path of a schema: to "pod", to "open" where the schema
// leaves open what stands there, or to "" where there is nothing.
func follow(schema map[string]any, path []string) string {
	if schema == nil {
		return ""
	}
	properties, _ := schema["properties"].(map[string]any)
	if len(path) == 0 {
		if properties["containers"] != nil || properties["container"] != nil || properties["affinity"] != nil && properties["nodeSelector"] != nil {
			return "pod"
		}
	}
	if keep, _ := schema["x-kubernetes-preserve-unknown-fields"].(bool); keep || schema["type"] == "object" && properties == nil && schema["additionalProperties"] == nil {
		return "open"
	}
	if len(path) == 0 {
		return ""
	}
	key, all := strings.CutSuffix(path[0], "[*]")
	next, _ := properties[key].(map[string]any)
	if key == "*" {
		next, _ = schema["additionalProperties"].(map[string]any)
	}
	if all && next != nil {
		if keep, _ := next["x-kubernetes-preserve-unknown-fields"].(bool); keep {
			return "open"
		}
		next, _ = next["items"].(map[string]any)
	}
	return follow(next, path[1:])
}

// unheld are the rows whose schemas cannot be had as a Go module, or are in no
// version that could be had, with the reason.
var unheld = map[string]string{
	"flink.apache.org":   "its repository is no Go module",
	"flow.volcano.sh":    "the module has its Go types alone",
	"kubevirt.io":        "the module has its Go types alone",
	"pool.kubevirt.io":   "the module has its Go types alone",
	"apps.openshift.io":  "not a custom resource; see TestOpenShift",
	"ray.io/RayCronJob":  "newer than the module",
	"kubeflow.org/MXJob": "older than the module",
}

var native = map[string]any{
	"/Pod": corev1.Pod{}, "/PodTemplate": corev1.PodTemplate{}, "/ReplicationController": corev1.ReplicationController{},
	"apps/DaemonSet": appsv1.DaemonSet{}, "apps/Deployment": appsv1.Deployment{}, "apps/ReplicaSet": appsv1.ReplicaSet{}, "apps/StatefulSet": appsv1.StatefulSet{},
	"batch/CronJob": batchv1.CronJob{}, "batch/Job": batchv1.Job{},
	"extensions/DaemonSet": extensionsv1beta1.DaemonSet{}, "extensions/Deployment": extensionsv1beta1.Deployment{}, "extensions/ReplicaSet": extensionsv1beta1.ReplicaSet{},
}

// TestTheTableIsTheSchemas holds each path of the table to the schema that its
// source carries, and the table to all PodSpecs in the definitions of its kinds.
func TestTheTableIsTheSchemas(t *testing.T) {
	schemas, learned := definitions(t)
	held, open := 0, 0
	table := map[string][]string{}
	for _, h := range kubeyaml.Table {
		table[h.Kind] = append(table[h.Kind], h.Path)
		if v, ok := native[h.Kind]; ok {
			held++
			if got := fieldType(reflect.TypeOf(v), strings.Split(h.Path, ".")); got != reflect.TypeFor[corev1.PodSpec]() {
				t.Errorf("%s: %s is a %v", h.Kind, h.Path, got)
			}
			continue
		}
		best := ""
		for _, s := range schemas[h.Kind] {
			if got := follow(s, strings.Split(h.Path, ".")); got == "pod" || best == "" {
				best = got
			}
		}
		group, _, _ := strings.Cut(h.Kind, "/")
		_, ok := unheld[h.Kind]
		_, okGroup := unheld[group]
		switch {
		case best == "pod":
			held++
		case best == "open":
			open++
			t.Logf("%s: the schema leaves %s open", h.Kind, h.Path)
		case h.Kind == "/DeploymentConfig" || ok || okGroup:
			t.Logf("%s: %s is not held: %s%s", h.Kind, h.Path, unheld[h.Kind], unheld[group])
		default:
			t.Errorf("%s: there is no PodSpec at %s (%s)", h.Kind, h.Path, h.Source)
		}
	}
	for kind, paths := range learned {
		if table[kind] == nil {
			t.Logf("%s is not in the table: %v", kind, paths)
			continue
		}
		for _, path := range paths {
			if !slices.Contains(table[kind], path) {
				t.Errorf("%s holds a PodSpec at %s too", kind, path)
			}
		}
	}
	t.Logf("%d paths are held to a schema, %d schemas are open there", held, open)
	if held < 60 {
		t.Errorf("%d paths of %d are held to a schema", held, len(kubeyaml.Table))
	}
}

// fieldType follows JSON names through Go types.
func fieldType(t reflect.Type, path []string) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if len(path) == 0 || t.Kind() != reflect.Struct {
		return t
	}
	for f := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(f).Tag.Get("json"), ","); name == path[0] {
			return fieldType(t.Field(f).Type, path[1:])
		}
	}
	return nil
}

// A DeploymentConfig has no definition: OpenShift's API server serves it, whose
// OpenAPI document its module carries.
func TestOpenShift(t *testing.T) {
	for _, m := range load(t) {
		if m.Path != "github.com/openshift/api" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(m.Dir, "openapi", "openapi.json"))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Definitions map[string]struct {
				Properties map[string]struct {
					Ref string `json:"$ref"`
				}
			}
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		at := "com.github.openshift.api.apps.v1.DeploymentConfig"
		for _, key := range []string{"spec", "template", "spec"} {
			at = strings.TrimPrefix(doc.Definitions[at].Properties[key].Ref, "#/definitions/")
		}
		if at != "io.k8s.api.core.v1.PodSpec" {
			t.Errorf("spec.template.spec is a %q", at)
		}
		return
	}
	t.Fatal("the module is missing")
}

package tekton_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// registrySecret is what the samples take the registry's credentials from. Ours needs none.
const registrySecret = `apiVersion: v1
kind: Secret
metadata: {name: registry}
type: kubernetes.io/dockerconfigjson
stringData: {.dockerconfigjson: '{"auths": {}}'}
`

// sample starts the PipelineRun of catalog/pipeline/NAME/samples/run.yaml, as it is but for the
// registry, its own name, and params: those of withKo and those given.
func (b *bench) sample(t *testing.T, pipeline, name string, params map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(), "catalog/pipeline", pipeline, "samples/run.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var run unstructured.Unstructured
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(text), "registry.example.com", b.Registry)), &run.Object); err != nil {
		t.Fatal(err)
	}
	run.SetName(name)
	all := b.withKo()
	maps.Copy(all, params)
	if err := setParams(run.Object, all); err != nil {
		t.Fatal(err)
	}
	if _, err := b.dynamic.Resource(pipelineRuns).Namespace(b.namespace).Create(t.Context(), &run, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// withKo are the params of a run that builds with ko: it cross-compiles, without a privilege.
func (b *bench) withKo() map[string]any {
	return map[string]any{
		"builder":           "ko",
		"builder-image":     b.Registry + "/" + koImage,
		"kubectl-image":     b.Registry + "/kubectl:" + kubernetesVersion,
		"insecure-registry": []any{b.Registry},
	}
}

// setParams returns a run's params these values; a value of nil takes the param out.
func setParams(run map[string]any, values map[string]any) error {
	given, _, err := unstructured.NestedSlice(run, "spec", "params")
	if err != nil {
		return err
	}
	var params []any
	for _, p := range given {
		if _, ok := values[p.(map[string]any)["name"].(string)]; !ok {
			params = append(params, p)
		}
	}
	for name, value := range values {
		if value != nil {
			params = append(params, map[string]any{"name": name, "value": value})
		}
	}
	return unstructured.SetNestedSlice(run, params, "spec", "params")
}

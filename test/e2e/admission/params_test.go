package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

const (
	amd64  = "os In linux & arch In amd64"
	either = "os In linux & arch In amd64,arm64"
)

// Whatever the parameters are, no Pod is kept out, and what can be read is heeded.
func TestParametersOfEveryForm(t *testing.T) {
	c := whole(t)
	without := c.Namespace(t)
	if got := pins(create(t, c, without, podOf("x", corev1.PodSpec{}, "amd")).Spec); got != "" {
		t.Errorf("without parameters: %s", got)
	}
	namespace := c.Namespace(t)
	key := func(tag string) string { return "docker.io..library..a.-." + tag }
	params(t, c, namespace, map[string]string{
		key("plain"):    "linux/arm64,linux/amd64",
		key("spaces"):   " linux/arm64 , linux/amd64 ",
		key("lines"):    "linux/amd64,\nlinux/arm64\n",
		key("variants"): "linux/amd64/v3,linux/arm64/v8",
		key("twice"):    "linux/amd64,linux/arm64,linux/amd64",
		key("bare"):     "amd64",
		key("empty"):    "",
		key("commas"):   ",,,",
		key("words"):    "who knows / what, $this is",
		key("upper"):    "Linux/AMD64",
		key("some"):     "amd64,linux/amd64,nonsense,linux/",
		key("long"):     strings.Repeat("linux/amd64,", 20_000),
		key("json"):     `["linux/amd64"]`,
		"tolerate":      "true",
		"taints":        "nonsense,kubernetes.io/arch=amd64:Always,dedicated=x:NoSchedule,,kubernetes.io/arch=amd64:NoExecute",
		"unknown":       "perhaps",
	})
	for tag, want := range map[string]string{
		"plain": either, "spaces": either, "lines": either, "variants": either, "twice": either,
		"bare": "", "empty": "", "commas": "", "words": "", "upper": "", "some": amd64, "long": "", "json": "", "missing": "",
	} {
		p := create(t, c, namespace, podOf("x", corev1.PodSpec{}, "a:"+tag))
		if got := pins(p.Spec); got != want {
			t.Errorf("%s: %s, want %s", tag, got, want)
		}
		if got, want := strings.Join(tolerations(p.Spec), ";"), "kubernetes.io/arch  amd64 NoExecute"; want != "" && (got == want) != (pins(p.Spec) != "") {
			t.Errorf("%s: it tolerates %s", tag, got)
		}
	}
	// of another kind altogether, or gone again
	for _, data := range []string{"", "data: {}\n", "binaryData: {docker.io..library..a.-.plain: AAAA}\n"} {
		n := c.Namespace(t)
		c.Apply(t, n, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: polyarch-platforms}\n"+data)
		if got := pins(create(t, c, n, podOf("x", corev1.PodSpec{}, "a:plain")).Spec); got != "" {
			t.Errorf("%q: %s", data, got)
		}
	}
	if err := c.Client.CoreV1().ConfigMaps(namespace).Delete(t.Context(), "polyarch-platforms", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); pins(create(t, c, namespace, podOf("x", corev1.PodSpec{}, "a:plain")).Spec) != ""; {
		if time.Now().After(deadline) {
			t.Fatal("deleted parameters are heeded for a minute")
		}
	}
}

// A Pod that the API server refuses is refused with the server's own words:
// admission comes before validation and sees everything.
func TestWhatTheServerRefuses(t *testing.T) {
	c := whole(t)
	namespace := c.Namespace(t)
	params(t, c, namespace, twoImages)
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	affinity := func(required string) string {
		return `{"containers":[{"name":"c","image":"amd"}],"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":` + required + `}}}`
	}
	for spec, want := range map[string]string{
		`{}`:                            "spec.containers: Required value",
		`{"containers":null}`:           "spec.containers: Required value",
		`{"containers":[]}`:             "spec.containers: Required value",
		`{"containers":[null]}`:         "spec.containers[0].name: Required value",
		`{"containers":[{"name":"c"}]}`: "spec.containers[0].image: Required value",
		`{"containers":[{"name":"c","image":" amd"}]}`:                        "must not have leading or trailing whitespace",
		`{"containers":[{"name":"c","image":"@"}]}`:                           "",
		`{"containers":[{"name":"c","image":"/"},{"name":"d","image":":"}]}`:  "",
		`{"containers":[{"name":"c","image":"amd"}],"initContainers":null}`:   "",
		`{"containers":[{"name":"c","image":"amd"}],"nodeSelector":{"":"x"}}`: "spec.nodeSelector",
		`{"containers":[{"name":"c","image":"amd"}],"affinity":{}}`:           "",
		`{"containers":[{"name":"c","image":"amd"}],"affinity":null}`:         "",
		`{"containers":[{"name":"c","image":"amd"}],"tolerations":[{}]}`:      "spec.tolerations[0].operator",
		affinity(`null`):                         "",
		affinity(`{}`):                           "nodeSelectorTerms: Required value",
		affinity(`{"nodeSelectorTerms":null}`):   "nodeSelectorTerms: Required value",
		affinity(`{"nodeSelectorTerms":[]}`):     "nodeSelectorTerms: Required value",
		affinity(`{"nodeSelectorTerms":[null]}`): "",
		affinity(`{"nodeSelectorTerms":[{}]}`):   "",
		affinity(`{"nodeSelectorTerms":[{"matchExpressions":null,"matchFields":null}]}`):                                                          "",
		affinity(`{"nodeSelectorTerms":[{"matchExpressions":[{}]}]}`):                                                                             "operator: Invalid value",
		affinity(`{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/arch"}]}]}`):                                                   "operator: Invalid value",
		affinity(`{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/arch","operator":"In"}]}]}`):                                   "values: Required value",
		affinity(`{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/arch","operator":"Gt","values":["x","y"]}]}]}`):                "must be specified single value",
		affinity(`{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/os","operator":"Near","values":["x"]}]}]}`):                    "not a valid selector operator",
		affinity(`{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/arch","operator":"In","values":["-"]}]}]}`):                    "Invalid value",
		affinity(`{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/arch","operator":"Lt","values":["99999999999999999999"]}]}]}`): "",
	} {
		object := map[string]any{}
		if err := json.Unmarshal([]byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":`+spec+`}`), &object); err != nil {
			t.Fatal(err)
		}
		_, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(namespace).
			Create(t.Context(), &unstructured.Unstructured{Object: object}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "polyarch")) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}

// Pods made while parameters change get the old ones, the new ones, or, where the
// change falls between the two runs of the policy, both. None fails.
func TestEditedWhilePodsAreMade(t *testing.T) {
	c := lab(t)
	namespace := c.Namespace(t)
	forms := []string{"linux/amd64", "linux/amd64,linux/arm64"}
	key := "docker.io..library..a.-.latest"
	params(t, c, namespace, map[string]string{key: forms[0]})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	client := fast(t, c)
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				p, err := dryRun(t.Context(), client, namespace, podOf("x", corev1.PodSpec{}, "a"))
				if err != nil {
					t.Error(err)
				} else if got := pins(p.Spec); got != amd64 && got != either && got != either+" & arch In amd64" {
					t.Errorf("%q", got)
				}
			}
		})
	}
	for i := range 50 {
		patch := fmt.Sprintf(`{"data":{%q:%q}}`, key, forms[i%2])
		if _, err := c.Client.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "polyarch-platforms", "application/merge-patch+json", []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}

// The first Pods that an API server takes after it has started anew are pinned.
func TestRestart(t *testing.T) {
	c := lab(t)
	namespace := c.Namespace(t)
	params(t, c, namespace, twoImages)
	client := fast(t, c)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	taken := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			p, err := dryRun(t.Context(), client, namespace, podOf("x", corev1.PodSpec{}, "amd"))
			if err == nil {
				taken++
				if got := pins(p.Spec); got != amd64 {
					t.Errorf("Pod %d is pinned to %q", taken, got)
				}
				continue
			}
			if status := apierrors.APIStatus(nil); errors.As(err, &status) && strings.Contains(err.Error(), "polyarch") {
				t.Errorf("it refuses a Pod: %v", err)
			}
		}
	})
	for range 2 {
		if err := c.RestartAPIServer(t.Context()); err != nil {
			t.Error(err)
			break
		}
		if got := pins(create(t, c, namespace, podOf("x", corev1.PodSpec{}, "amd")).Spec); got != amd64 {
			t.Errorf("after the restart: %q", got)
		}
	}
	stop()
	wg.Wait()
	t.Logf("%d Pods", taken)
}

// Pods of kube-system, and Pods that have their node, are left alone.
func TestLeftAlone(t *testing.T) {
	c := lab(t)
	namespace := c.Namespace(t)
	params(t, c, namespace, twoImages)
	c.Apply(t, "kube-system", configMap(twoImages))
	if got := pins(create(t, c, "kube-system", podOf("x", corev1.PodSpec{}, "amd")).Spec); got != "" {
		t.Errorf("kube-system: %s", got)
	}
	if got := pins(create(t, c, namespace, podOf("x", corev1.PodSpec{NodeName: "n1"}, "amd")).Spec); got != "" {
		t.Errorf("on its node: %s", got)
	}
	if got := pins(create(t, c, namespace, podOf("x", corev1.PodSpec{}, "amd", "arm")).Spec); got != "" {
		t.Errorf("with nothing in common: %s", got)
	}
}

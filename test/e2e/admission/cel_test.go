package admission

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	apiservercel "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

func catalog(parts ...string) string {
	return filepath.Join(append([]string{tool.ToolsDir(), "..", "..", "..", "catalog", "admission"}, parts...)...)
}

func decode[T any](t testing.TB, path string) *T {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	into := new(T)
	if err := yaml.UnmarshalStrict(b, into); err != nil {
		t.Fatal(err)
	}
	return into
}

// compiler compiles variables as an API server of that release does when a
// policy is created.
func compiler(t testing.TB, release string, variables []admissionregistration.Variable) *cel.CompositedCompiler {
	t.Helper()
	c, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(version.MustParse(release)))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variables {
		if r := c.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, declared, environment.NewExpressions); r.Error != nil {
			t.Fatalf("Kubernetes %s: variable %s: %v", release, v.Name, r.Error)
		}
	}
	return c
}

var declared = cel.OptionalVariableDeclarations{HasParams: true, HasAuthorizer: true}

// The companion's functions are those that Kubernetes 1.30 has; the policy's
// are those of 1.35, since a server takes none that the release before it lacks.
func TestEachReleaseHasTheFunctions(t *testing.T) {
	companion := decode[admissionregistration.ValidatingAdmissionPolicy](t, catalog("companion", "companion.yaml"))
	for _, release := range []string{"1.29", "1.36"} {
		c := compiler(t, release, companion.Spec.Variables)
		var all []cel.ExpressionAccessor
		for _, v := range companion.Spec.Validations {
			all = append(all, &validating.ValidationCondition{Expression: v.Expression}, &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression})
		}
		for _, a := range companion.Spec.AuditAnnotations {
			all = append(all, &validating.AuditAnnotationCondition{Key: a.Key, ValueExpression: a.ValueExpression})
		}
		for _, e := range all {
			if r := c.CompileCELExpression(e, declared, environment.NewExpressions); r.Error != nil {
				t.Errorf("Kubernetes %s: %s: %v", release, e.GetExpression(), r.Error)
			}
		}
	}
	policyOf(t, "1.35")
}

// A policy is catalog/admission/policy.yaml as the API server runs it.
type policy struct {
	compiler *cel.CompositedCompiler
	mutate   cel.MutatingEvaluator
	patcher  patch.Patcher
}

func policyOf(t testing.TB, release string) *policy {
	t.Helper()
	p := decode[admissionregistration.MutatingAdmissionPolicy](t, catalog("policy", "policy.yaml"))
	c := compiler(t, release, p.Spec.Variables)
	options := declared
	options.HasPatchTypes = true
	m := c.CompileMutatingEvaluator(&patch.JSONPatchCondition{Expression: p.Spec.Mutations[0].JSONPatch.Expression}, options, environment.NewExpressions)
	for _, err := range m.CompilationErrors() {
		t.Fatalf("Kubernetes %s: %v", release, err)
	}
	return &policy{c, m, patch.NewJSONPatcher(m)}
}

func attributes(object runtime.Object, kind, resource string, gv metav1.GroupVersion) *admission.VersionedAttributes {
	gvk := metav1.GroupVersionKind{Group: gv.Group, Version: gv.Version, Kind: kind}
	a := admission.NewAttributesRecord(object, nil, gvkOf(gvk), "default", "x", gvrOf(gv, resource), "", admission.Create, &metav1.CreateOptions{}, false, nil)
	return &admission.VersionedAttributes{Attributes: a, VersionedKind: gvkOf(gvk), VersionedObject: object}
}

// cost returns what the policy costs of the API server's budget.
func (p *policy) cost(t testing.TB, object runtime.Object, params map[string]string) int64 {
	t.Helper()
	v := attributes(object, "Pod", "pods", metav1.GroupVersion{Version: "v1"})
	if _, ok := object.(*appsv1.DaemonSet); ok {
		v = attributes(object, "DaemonSet", "daemonsets", metav1.GroupVersion{Group: "apps", Version: "v1"})
	}
	request := cel.CreateAdmissionRequest(v.Attributes, metav1.GroupVersionResource{Version: "v1", Resource: "pods"}, metav1.GroupVersionKind(v.VersionedKind))
	ctx := p.compiler.CreateContext(context.Background())
	r, left, err := p.mutate.ForInput(ctx, v, request, cel.OptionalVariableBindings{VersionedParams: &corev1.ConfigMap{Data: params}}, nil, math.MaxInt64)
	if err == nil && r.Error != nil {
		err = r.Error
	}
	if err != nil {
		t.Fatal(err)
	}
	return math.MaxInt64 - left
}

// A Pod of 20 containers with 20 terms, whose images are for two OSes, costs
// less than a twentieth of what the API server allows, however many images the
// ConfigMap has.
func TestCost(t *testing.T) {
	p := policyOf(t, "1.35")
	for _, c := range []struct {
		containers, terms, images int
		most                      int64
	}{
		{1, 0, 40, apiservercel.RuntimeCELCostBudget / 1000},
		{20, 20, 40, apiservercel.RuntimeCELCostBudget / 20},
		{20, 20, 2000, apiservercel.RuntimeCELCostBudget / 20},
		{20, 1000, 2000, apiservercel.RuntimeCELCostBudget},
	} {
		params := map[string]string{}
		pod := &corev1.Pod{}
		for i := range c.images {
			params[fmt.Sprintf("ghcr.io..team..service-%04d.-.v1.2.3", i)] = "linux/amd64,linux/arm64,windows/amd64"
			if i < c.containers {
				pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "c", Image: fmt.Sprintf("ghcr.io/team/service-%04d:v1.2.3", i)})
			}
		}
		var terms []corev1.NodeSelectorTerm
		for i := range c.terms {
			terms = append(terms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: "zone", Operator: "In", Values: []string{fmt.Sprint("z", i)}}, {Key: "kubernetes.io/arch", Operator: "In", Values: []string{"amd64", "arm64", "s390x"}}}})
		}
		if terms != nil {
			pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
		}
		cost := p.cost(t, pod, params)
		t.Logf("%d containers, %d terms, %d images: %d, %.2f %% of the budget", c.containers, c.terms, c.images, cost, 100*float64(cost)/apiservercel.RuntimeCELCostBudget)
		if cost > c.most {
			t.Errorf("%d containers, %d terms, %d images: %d, more than %d", c.containers, c.terms, c.images, cost, c.most)
		}
	}
}

// What the policy and its companion both have is the same text.
func TestWhatTheTwoShare(t *testing.T) {
	of := map[string]string{}
	for _, v := range decode[admissionregistration.MutatingAdmissionPolicy](t, catalog("policy", "policy.yaml")).Spec.Variables {
		of[v.Name] = v.Expression
	}
	var shared []string
	for _, v := range decode[admissionregistration.ValidatingAdmissionPolicy](t, catalog("companion", "companion.yaml")).Spec.Variables {
		if of[v.Name] == v.Expression {
			shared = append(shared, v.Name)
		}
	}
	if got := strings.Join(shared, " "); got != "keys" {
		t.Errorf("both have %s", got)
	}
}

func gvkOf(k metav1.GroupVersionKind) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}
}

func gvrOf(gv metav1.GroupVersion, resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: gv.Group, Version: gv.Version, Resource: resource}
}

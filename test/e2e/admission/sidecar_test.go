package admission

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/polyarch/polyarch/test/e2e/cluster"
)

const sidecarPolicy = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: %[1]s-sidecar}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchLabels: {sidecar: %[1]s}}
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  matchConditions:
  - {name: once, expression: "!object.spec.containers.exists(c, c.name == 'sidecar')"}
  mutations:
  - patchType: JSONPatch
    jsonPatch: {expression: "[JSONPatch{op: 'add', path: '/spec/containers/-', value: Object.spec.containers{name: 'sidecar', image: 'amd'}}]"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: %[1]s-sidecar}
spec: {policyName: %[1]s-sidecar}
`

const sidecarWebhook = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: sidecar}
webhooks:
- name: sidecar.example.com
  clientConfig: {url: %q, caBundle: %s}
  admissionReviewVersions: [v1]
  sideEffects: None
  timeoutSeconds: 30
  namespaceSelector: {matchLabels: {sidecar: webhook}}
  rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}
`

// A sidecar that another policy or a webhook adds later narrows as well: policies
// run in an order that nobody knows, and webhooks after all of them.
func TestSidecars(t *testing.T) {
	c := lab(t)
	s := httptest.NewTLSServer(http.HandlerFunc(injectSidecar))
	t.Cleanup(s.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	c.Apply(t, "", fmt.Sprintf(sidecarWebhook, s.URL, base64.StdEncoding.EncodeToString(authority)))
	for _, first := range []string{"aa", "zz"} {
		c.Apply(t, "", fmt.Sprintf(sidecarPolicy, first))
	}
	for _, by := range []string{"aa", "zz", "webhook"} {
		namespace := labelled(t, c, "sidecar="+by)
		params(t, c, namespace, twoImages)
		p := injected(t, c, namespace, podOf("x", corev1.PodSpec{}, "both"))
		if got := pins(p.Spec); got != amd64 && got != either+" & arch In amd64" { // as the policy saw the sidecar at first, or only later
			t.Errorf("%s: %q, want %q", by, got, amd64)
		}
		p = injected(t, c, namespace, podOf("x", corev1.PodSpec{}, "unheard-of"))
		if got := pins(p.Spec); got != amd64 {
			t.Errorf("%s, with an image that nobody knows: %q, want %q", by, got, amd64)
		}
		again := create(t, c, namespace, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: p.Spec})
		if got := pins(again.Spec); got != pins(p.Spec) || len(again.Spec.Containers) != 2 {
			t.Errorf("%s, again: %q, %d containers", by, got, len(again.Spec.Containers))
		}
	}
	if err := c.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(t.Context(), "sidecar", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// injected creates a Pod once the injector is at work.
func injected(t *testing.T, c *cluster.ControlPlane, namespace string, p *corev1.Pod) (got *corev1.Pod) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		var err error
		got, err = dryRun(ctx, c.Client, namespace, p)
		return err == nil && len(got.Spec.Containers) == 2, nil
	})
	if err != nil {
		t.Fatalf("waiting for the sidecar: %v", err)
	}
	return got
}

func injectSidecar(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	var p corev1.Pod
	if json.NewDecoder(r.Body).Decode(&review) != nil || json.Unmarshal(review.Request.Object.Raw, &p) != nil {
		http.Error(w, "what is that?", http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if len(p.Spec.Containers) == 1 {
		kind := admissionv1.PatchTypeJSONPatch
		review.Response.PatchType = &kind
		review.Response.Patch = []byte(`[{"op":"add","path":"/spec/containers/-","value":{"name":"sidecar","image":"amd"}}]`)
	}
	review.Request = nil
	json.NewEncoder(w).Encode(review)
}

package admission

import (
	"strings"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/cluster"
)

// On a cluster without the kind, what kubectl says names what to apply instead;
// that applies, and denies. Removal is one command.
func TestBeforeKubernetes136(t *testing.T) {
	c, err := cluster.StartWith(t.Context(), t.Logf, "--emulated-version=1.35")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, dir := range []string{catalog(), catalog("deny"), catalog("policy")} {
		out, err := kubectl(t.Context(), t.Logf, c, "", "apply", "-k", dir)
		if err == nil || !strings.Contains(out, `no matches for kind "MutatingAdmissionPolicyBinding"`) || !strings.Contains(out, "needs-kubernetes-1.36.before-it.apply-catalog-admission-companion") {
			t.Errorf("kubectl apply -k %s: %v\n%s", dir, err, out)
		}
	}
	if out, err := kubectl(t.Context(), t.Logf, c, "", "apply", "-k", catalog("companion-deny")); err != nil {
		t.Fatal(out)
	}
	namespace := c.Namespace(t)
	c.Apply(t, namespace, configMap(twoImages))
	denied(t, c, namespace, "amd", "arm")
	for _, dir := range []string{catalog("companion-deny"), catalog("companion")} {
		if out, err := kubectl(t.Context(), t.Logf, c, "", "delete", "--ignore-not-found", "-k", dir); err != nil {
			t.Errorf("kubectl delete -k %s: %s", dir, out)
		}
	}
}

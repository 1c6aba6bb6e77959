package admission

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/polyarch/polyarch/test/e2e/cluster"
)

const daemonSet = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: x}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers: [{name: c, image: "IMAGE"}]
AFFINITY`

// Three ways to apply: each leaves what admission added where the manifest says nothing.
var ways = map[string][]string{
	"apply":             {"apply"},
	"server-side apply": {"apply", "--server-side", "--force-conflicts"},
	"replace":           {"replace"},
}

// A DaemonSet is pinned in its template, and follows its images: to more
// platforms, to fewer, and to none that is known.
func TestDaemonSets(t *testing.T) {
	c := lab(t)
	const (
		mark   = " & polyarch.dev/pinned DoesNotExist "
		marked = "polyarch.dev/pinned DoesNotExist "
		zone   = `      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a]}]}, {matchFields: [{key: metadata.name, operator: In, values: [n1]}]}]}}}` + "\n"
		anti   = `      affinity: {podAntiAffinity: {}}` + "\n"
		own    = `      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [arm64]}]}]}}}` + "\n"
	)
	for way, args := range ways {
		namespace := c.Namespace(t)
		params(t, c, namespace, twoImages)
		generation := int64(0)
		for _, step := range []struct{ image, affinity, want string }{
			{"amd", "", marked + " & " + amd64},
			{"amd", "", marked + " & " + amd64},
			{"both", "", marked + " & " + either},
			{"unheard-of", "", ""},
			{"arm", "", marked + " & os In linux & arch In arm64"},
			{"both", zone, "zone In a" + mark + " & " + either + " | " + marked + " & " + either},
			{"amd", zone, "zone In a" + mark + " & " + amd64 + " | " + marked + " & " + amd64},
			{"both", zone, "zone In a" + mark + " & " + either + " | " + marked + " & " + either},
			{"unheard-of", zone, "zone In a | "},
			{"both", own, "arch In arm64" + mark + " & os In linux"},
			{"both", own, "arch In arm64" + mark + " & os In linux"},
			{"both", anti, marked + " & " + either},
		} {
			manifest := strings.NewReplacer("IMAGE", step.image, "AFFINITY", step.affinity).Replace(daemonSet)
			verb := args
			if generation == 0 && way == "replace" {
				verb = []string{"create"}
			}
			if out, err := kubectl(t.Context(), t.Logf, c, manifest, append(verb, "-n", namespace, "-f", "-")...); err != nil {
				t.Fatalf("%s: %s", way, out)
			}
			got := daemonSetOf(t, c, namespace)
			want := strings.ReplaceAll(step.want, "  &", " &")
			if p := strings.ReplaceAll(pins(got.Spec.Template.Spec), "  &", " &"); p != want {
				t.Errorf("%s: %s %s: %q, want %q", way, step.image, step.affinity, p, want)
			}
			if strings.Contains(way, "apply") && step.affinity == own { // applied again, nothing changes
				generation = got.Generation
				if out, err := kubectl(t.Context(), t.Logf, c, manifest, append(verb, "-n", namespace, "-f", "-")...); err != nil {
					t.Fatalf("%s: %s", way, out)
				}
				if now := daemonSetOf(t, c, namespace).Generation; now != generation {
					t.Errorf("%s again: generation %d after %d", way, now, generation)
				}
			}
			generation = got.Generation
			if out, err := kubectl(t.Context(), t.Logf, c, "", "annotate", "--overwrite", "-n", namespace, "daemonset/x", "seen="+step.image); err != nil {
				t.Fatal(out)
			}
			if now := daemonSetOf(t, c, namespace).Generation; now != generation {
				t.Errorf("%s: annotated, generation %d after %d", way, now, generation)
			}
		}
		// the template's own Pods are pinned alike, without the marker: their template says it
		p := create(t, c, namespace, podOf("x", daemonSetOf(t, c, namespace).Spec.Template.Spec))
		if got := strings.ReplaceAll(pins(p.Spec), "  &", " &"); got != marked+"& "+either {
			t.Errorf("its Pod: %q", got)
		}
	}
}

func daemonSetOf(t *testing.T, c *cluster.ControlPlane, namespace string) *appsv1.DaemonSet {
	t.Helper()
	d, err := c.Client.AppsV1().DaemonSets(namespace).Get(t.Context(), "x", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// holder puts a PodSpec into an object of a kind that the policy does not change.
func holder(kind, name string, s corev1.PodSpec) runtime.Object {
	meta := metav1.ObjectMeta{Name: name}
	labels := map[string]string{"app": name}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: s}
	kinds := func(group string) metav1.TypeMeta { return metav1.TypeMeta{APIVersion: group, Kind: kind} }
	once := template
	once.Spec.RestartPolicy = corev1.RestartPolicyNever
	switch kind {
	case "Deployment":
		return &appsv1.Deployment{TypeMeta: kinds("apps/v1"), ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}}
	case "StatefulSet":
		return &appsv1.StatefulSet{TypeMeta: kinds("apps/v1"), ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}}
	case "ReplicaSet":
		return &appsv1.ReplicaSet{TypeMeta: kinds("apps/v1"), ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}}
	case "ReplicationController":
		return &corev1.ReplicationController{TypeMeta: kinds("v1"), ObjectMeta: meta, Spec: corev1.ReplicationControllerSpec{Selector: labels, Template: &template}}
	case "PodTemplate":
		return &corev1.PodTemplate{TypeMeta: kinds("v1"), ObjectMeta: meta, Template: template}
	case "Job":
		return &batchv1.Job{TypeMeta: kinds("batch/v1"), ObjectMeta: meta, Spec: batchv1.JobSpec{Template: once}}
	case "CronJob":
		return &batchv1.CronJob{TypeMeta: kinds("batch/v1"), ObjectMeta: meta, Spec: batchv1.CronJobSpec{Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: once}}}}
	}
	panic(kind)
}

var holders = []string{"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "PodTemplate", "Job", "CronJob"}

// createHolder asks the server whether it would take an object.
func createHolder(ctx context.Context, client kubernetes.Interface, namespace string, o runtime.Object) (err error) {
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	switch o := o.(type) {
	case *appsv1.Deployment:
		_, err = client.AppsV1().Deployments(namespace).Create(ctx, o, options)
	case *appsv1.StatefulSet:
		_, err = client.AppsV1().StatefulSets(namespace).Create(ctx, o, options)
	case *appsv1.ReplicaSet:
		_, err = client.AppsV1().ReplicaSets(namespace).Create(ctx, o, options)
	case *corev1.ReplicationController:
		_, err = client.CoreV1().ReplicationControllers(namespace).Create(ctx, o, options)
	case *corev1.PodTemplate:
		_, err = client.CoreV1().PodTemplates(namespace).Create(ctx, o, options)
	case *batchv1.Job:
		_, err = client.BatchV1().Jobs(namespace).Create(ctx, o, options)
	case *batchv1.CronJob:
		_, err = client.BatchV1().CronJobs(namespace).Create(ctx, o, options)
	}
	return err
}

// TestTheCompanionsWords gives random workloads of every kind to the companion
// and to the binary: it denies those that the binary refuses, and says the same.
func TestTheCompanionsWords(t *testing.T) {
	const count = 2_000
	c := whole(t)
	program := tool.Ours(t, "inject-affinity")
	all := images()
	objects := make([]runtime.Object, count)
	for i := range objects {
		d := dice{rand.New(rand.NewPCG(uint64(i), 23))}
		p, _ := d.pod(i, all)
		if len(p.Spec.NodeSelector) > 1 { // which of its keys comes first is nobody's business
			p.Spec.NodeSelector = nil
		}
		objects[i] = holder(pick(d, holders...), p.Name, p.Spec)
	}
	_, refused := binary(t, program, objects, flags(all)...)
	namespace := labelled(t, c, "polyarch.dev/admission=deny")
	c.Apply(t, namespace, written(t, program, objects, flags(all)...))
	denied(t, c, namespace, "ghcr.io/team/built0:v1", "ghcr.io/team/built1:v1")
	client := fast(t, c)
	var g errgroup.Group
	g.SetLimit(8)
	for _, o := range objects {
		g.Go(func() error {
			name := o.(metav1.Object).GetName()
			err := createHolder(t.Context(), client, namespace, o)
			want := refused[name]
			if want == "" && err == nil {
				return nil
			}
			if want == "" || err == nil || !strings.HasSuffix(message(err), " denied request: "+want) {
				t.Errorf("%T %s: the binary says %q, the companion %v", o, name, want, err)
			}
			return nil
		})
	}
	if g.Wait(); len(refused) < count/5 {
		t.Errorf("the binary refuses %d of %d: the dice are loaded", len(refused), count)
	}
}

// warnings collects what the server warns of.
type warnings struct {
	sync.Mutex
	all []string
}

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.Lock()
	defer w.Unlock()
	w.all = append(w.all, text)
}

// take returns the companion's warnings since the last time.
func (w *warnings) take() (ours []string) {
	w.Lock()
	defer w.Unlock()
	for _, text := range w.all {
		if strings.Contains(text, "polyarch-companion") {
			ours = append(ours, text)
		}
	}
	w.all = nil
	return ours
}

func listening(t *testing.T, c *cluster.ControlPlane) (kubernetes.Interface, *warnings) {
	t.Helper()
	w := &warnings{}
	config := rest.CopyConfig(c.Config)
	config.WarningHandler = w
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client, w
}

const impossible = "no node can run all of its images: container c0 runs amd, which is built for linux/amd64; container c1 runs arm, which is built for linux/arm64"

var twoImages = map[string]string{"docker.io..library..amd.-.latest": "linux/amd64", "docker.io..library..arm.-.latest": "linux/arm64", "docker.io..library..both.-.latest": "linux/amd64,linux/arm64"}

// By default it warns, and the audit log has both what no node can run and the
// images that nobody knows.
func TestItWarnsFirst(t *testing.T) {
	c := whole(t)
	client, w := listening(t, c)
	namespace := c.Namespace(t)
	params(t, c, namespace, twoImages)
	for _, kind := range holders {
		if err := createHolder(t.Context(), client, namespace, holder(kind, "x", podOf("x", corev1.PodSpec{}, "amd", "arm").Spec)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if got := w.take(); len(got) != 1 || !strings.HasSuffix(got[0], impossible) {
			t.Errorf("%s: it warns %q", kind, got)
		}
	}
	for _, name := range []string{"nobody", "unknown-images"} {
		if _, err := dryRun(t.Context(), client, namespace, podOf(name, corev1.PodSpec{}, "amd", "nobody/knows:1", "it")); err != nil {
			t.Error(err)
		}
		if got := w.take(); len(got) > 0 {
			t.Errorf("an image that nobody knows: %q", got)
		}
	}
	for deadline := time.Now().Add(time.Minute); ; {
		b, err := os.ReadFile(shared.audit)
		if err != nil {
			t.Fatal(err)
		}
		missing := ""
		for _, want := range []string{
			`"polyarch-companion/unknown-images":"nobody/knows:1, it"`,
			`"validation.policy.admission.k8s.io/validation_failure":"[{\"message\":\"` + impossible,
		} {
			if !bytes.Contains(b, []byte(want)) {
				missing = want
			}
		}
		if missing == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the audit log has no %s", missing)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// What is there already may be scaled, annotated, restarted and deleted, and its
// Pods may come again, whatever is known by now; a new image is looked at.
func TestWhatIsThereMayStay(t *testing.T) {
	c := whole(t)
	ctx := t.Context()
	namespace := c.Namespace(t)
	impossible := podOf("x", corev1.PodSpec{}, "amd", "arm").Spec
	stranger := podOf("x", corev1.PodSpec{}, "stranger").Spec
	for name, s := range map[string]corev1.PodSpec{"impossible": impossible, "stranger": stranger} {
		for _, kind := range holders {
			b, err := json.Marshal(holder(kind, name, s))
			if err != nil {
				t.Fatal(err)
			}
			c.Apply(t, namespace, string(b))
		}
	}
	data := map[string]string{"unknown": "fail"}
	for k, v := range twoImages {
		data[k] = v
	}
	label(t, c, namespace, "polyarch.dev/admission", "deny")
	params(t, c, namespace, data)
	denied(t, c, namespace, "amd", "arm")
	resources := []string{"deployments", "statefulsets", "replicasets", "replicationcontrollers", "podtemplates", "jobs", "cronjobs"}
	for _, name := range []string{"impossible", "stranger"} {
		for _, r := range resources {
			if out, err := kubectl(ctx, t.Logf, c, "", "annotate", "-n", namespace, r, name, "a=b"); err != nil {
				t.Errorf("annotating %s %s: %s", r, name, out)
			}
			if out, err := kubectl(ctx, t.Logf, c, "", "label", "-n", namespace, r, name, "a=b"); err != nil {
				t.Errorf("labelling %s %s: %s", r, name, out)
			}
		}
		for _, r := range []string{"deployment", "statefulset", "replicaset", "replicationcontroller"} {
			if out, err := kubectl(ctx, t.Logf, c, "", "scale", "-n", namespace, r, name, "--replicas=3"); err != nil {
				t.Errorf("scaling %s %s: %s", r, name, out)
			}
			patch := types.StrategicMergePatchType
			if r != "deployment" {
				continue
			}
			if _, err := c.Client.AppsV1().Deployments(namespace).Patch(ctx, name, patch, []byte(`{"spec":{"replicas":2,"paused":false,"minReadySeconds":3}}`), metav1.PatchOptions{}); err != nil {
				t.Errorf("changing %s %s: %v", r, name, err)
			}
		}
		for _, r := range []string{"deployment", "statefulset"} {
			if out, err := kubectl(ctx, t.Logf, c, "", "rollout", "restart", "-n", namespace, r+"/"+name); err != nil {
				t.Errorf("restarting %s %s: %s", r, name, out)
			}
		}
		if out, err := kubectl(ctx, t.Logf, c, "", "patch", "cronjob", "-n", namespace, name, "-p", `{"spec":{"suspend":true}}`); err != nil {
			t.Errorf("suspending %s: %s", name, out)
		}
	}
	// the Pods of what is there come again
	yes := true
	for _, o := range []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet"}, {APIVersion: "apps/v1", Kind: "StatefulSet"}, {APIVersion: "batch/v1", Kind: "Job"}, {APIVersion: "v1", Kind: "ReplicationController"}} {
		o.Name, o.UID, o.Controller = "stranger", "1", &yes
		p := podOf("again", corev1.PodSpec{}, "stranger")
		p.OwnerReferences = []metav1.OwnerReference{o}
		if _, err := dryRun(ctx, c.Client, namespace, p); err != nil {
			t.Errorf("the Pod of a %s: %v", o.Kind, err)
		}
	}
	// what is new is looked at: an image, a Pod by itself, a Pod of an operator
	for _, r := range []string{"deployment", "statefulset", "cronjob", "replicationcontroller"} {
		if out, err := kubectl(ctx, t.Logf, c, "", "set", "image", "-n", namespace, r+"/impossible", "c1=other"); err == nil || !strings.Contains(out, "the platforms of image other are not known: the ConfigMap polyarch-platforms has no such key") {
			t.Errorf("a new image in a %s: %v %s", r, err, out)
		}
		if out, err := kubectl(ctx, t.Logf, c, "", "set", "image", "-n", namespace, r+"/impossible", "c1=amd"); err != nil {
			t.Errorf("an image that settles it in a %s: %s", r, out)
		}
	}
	p := podOf("operators", corev1.PodSpec{}, "stranger")
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "Cluster", Name: "x", UID: "1", Controller: &yes}}
	for _, p := range []*corev1.Pod{podOf("alone", corev1.PodSpec{}, "stranger"), p} {
		if _, err := dryRun(ctx, c.Client, namespace, p); err == nil || !strings.Contains(err.Error(), "the platforms of image stranger are not known") {
			t.Errorf("Pod %s: %v", p.Name, err)
		}
	}
	if out, err := kubectl(ctx, t.Logf, c, "", "delete", "-n", namespace, "--wait=false", "--cascade=orphan", "deployment/impossible", "job/impossible"); err != nil {
		t.Errorf("deleting: %s", out)
	}
}

// denied waits until a namespace that is labelled so denies a Pod of two images.
func denied(t *testing.T, c *cluster.ControlPlane, namespace, one, other string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := dryRun(ctx, c.Client, namespace, podOf("x", corev1.PodSpec{}, one, other))
		return err != nil, nil
	})
	if err != nil {
		t.Fatalf("waiting until %s denies: %v", namespace, err)
	}
}

func label(t testing.TB, c *cluster.ControlPlane, namespace, key, value string) {
	t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, key, value)
	if _, err := c.Client.CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// The overlay denies everywhere, and what was installed before is changed in place.
func TestDenyEverywhere(t *testing.T) {
	c := whole(t)
	namespace := c.Namespace(t)
	params(t, c, namespace, twoImages)
	if out, err := kubectl(t.Context(), t.Logf, c, "", "apply", "-k", catalog("deny")); err != nil {
		t.Fatal(out)
	}
	denied(t, c, namespace, "amd", "arm")
	if out, err := kubectl(t.Context(), t.Logf, c, "", "apply", "-k", catalog()); err != nil {
		t.Fatal(out)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := dryRun(ctx, c.Client, namespace, podOf("x", corev1.PodSpec{}, "amd", "arm"))
		return err == nil, nil
	})
	if err != nil {
		t.Fatal("back to warnings: ", err)
	}
}

// Package tasks has no code of its own: its tests hold the Tekton resources of
// this folder and of catalog to Tekton's own rules, to what a catalogue
// reviewer checks, and to the binaries that they run.
package tasks

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"github.com/tektoncd/pipeline/pkg/apis/pipeline/v1beta1"
	"gopkg.in/yaml.v3"
	rbacv1 "k8s.io/api/rbac/v1"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kyaml "sigs.k8s.io/yaml"
)

// kinds are the kinds that stand in our files, by apiVersion and kind.
var kinds = map[string]func() runtime.Object{
	"tekton.dev/v1 Task":                              func() runtime.Object { return &v1.Task{} },
	"tekton.dev/v1 TaskRun":                           func() runtime.Object { return &v1.TaskRun{} },
	"tekton.dev/v1 Pipeline":                          func() runtime.Object { return &v1.Pipeline{} },
	"tekton.dev/v1 PipelineRun":                       func() runtime.Object { return &v1.PipelineRun{} },
	"tekton.dev/v1beta1 StepAction":                   func() runtime.Object { return &v1beta1.StepAction{} },
	"v1 ServiceAccount":                               func() runtime.Object { return &corev1.ServiceAccount{} },
	"v1 PersistentVolumeClaim":                        func() runtime.Object { return &corev1.PersistentVolumeClaim{} },
	"rbac.authorization.k8s.io/v1 Role":               func() runtime.Object { return &rbacv1.Role{} },
	"rbac.authorization.k8s.io/v1 ClusterRole":        func() runtime.Object { return &rbacv1.ClusterRole{} },
	"rbac.authorization.k8s.io/v1 RoleBinding":        func() runtime.Object { return &rbacv1.RoleBinding{} },
	"rbac.authorization.k8s.io/v1 ClusterRoleBinding": func() runtime.Object { return &rbacv1.ClusterRoleBinding{} },
}

// A document is one resource of a file.
type document struct {
	path   string // from the repository's root, with slashes
	meta   metav1.ObjectMeta
	kind   string
	object runtime.Object
}

// folder returns the name of the folder that the file is in: that of the Task or
// Pipeline, unless it is a sample.
func (d document) folder() string { return filepath.Base(filepath.Dir(d.path)) }

// task returns the Task's or the StepAction's parts that both have.
func (d document) task() (v1.TaskSpec, bool) {
	switch o := d.object.(type) {
	case *v1.Task:
		return o.Spec, true
	case *v1beta1.StepAction:
		return stepActionAsTask(o), true
	}
	return v1.TaskSpec{}, false
}

// tasks returns all that runs as a Task: the document itself, or what a Pipeline
// or a run has in it.
func (d document) tasks() []v1.TaskSpec {
	var all []v1.TaskSpec
	switch o := d.object.(type) {
	case *v1.Pipeline:
		for _, t := range o.Spec.Tasks {
			if t.TaskSpec != nil {
				all = append(all, t.TaskSpec.TaskSpec)
			}
		}
	default:
		if spec, ok := d.task(); ok {
			all = append(all, spec)
		}
	}
	return all
}

// stepActionAsTask returns the Task with the one step that a StepAction is.
func stepActionAsTask(s *v1beta1.StepAction) v1.TaskSpec {
	step := v1.Step{
		Name: s.Name, Image: s.Spec.Image, Command: s.Spec.Command, Args: s.Spec.Args, WorkingDir: s.Spec.WorkingDir,
		Env: s.Spec.Env, Script: s.Spec.Script, SecurityContext: s.Spec.SecurityContext,
	}
	spec := v1.TaskSpec{Description: s.Spec.Description, Params: s.Spec.Params, Steps: []v1.Step{step}}
	for _, r := range s.Spec.Results {
		spec.Results = append(spec.Results, v1.TaskResult{Name: r.Name, Type: r.Type, Description: r.Description})
	}
	return spec
}

// documents decodes every YAML file of tasks and catalog/pipeline, strictly: a
// field that its kind does not have is an error, as it is to kubectl.
func documents(t *testing.T) []document {
	t.Helper()
	var all []document
	for _, root := range []string{"tasks", "catalog/pipeline"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".yaml" || d.Name() == "kustomization.yaml" {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			path = strings.TrimPrefix(filepath.ToSlash(path), "../")
			for dec := yaml.NewDecoder(bytes.NewReader(content)); ; {
				var n yaml.Node
				if err := dec.Decode(&n); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				all = append(all, decode(t, path, &n))
			}
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if len(all) == 0 {
		t.Fatal("there are no resources")
	}
	return all
}

func decode(t *testing.T, path string, n *yaml.Node) document {
	t.Helper()
	text, err := yaml.Marshal(n)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var head struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	if err := kyaml.Unmarshal(text, &head); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	d := document{path: path, meta: head.ObjectMeta, kind: head.Kind}
	zero := kinds[head.APIVersion+" "+head.Kind]
	if zero == nil {
		t.Fatalf("%s: line %d: no kind of ours: %s %s", path, n.Line, head.APIVersion, head.Kind)
	}
	d.object = zero()
	if err := kyaml.UnmarshalStrict(text, d.object); err != nil {
		t.Errorf("%s: %s %s: %v", path, head.Kind, head.Name+head.GenerateName, err)
	}
	return d
}

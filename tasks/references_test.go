package tasks

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
)

// A callee is what can be referred to by name: a Task, a StepAction or a
// Pipeline. The webhook does not look it up; the run fails.
type callee struct {
	name       string
	params     v1.ParamSpecs
	workspaces map[string]bool // whether it is optional
	results    map[string]string
}

func callees(t *testing.T) map[string]callee {
	t.Helper()
	all := map[string]callee{}
	for _, d := range documents(t) {
		c := callee{name: d.kind + " " + d.meta.Name, workspaces: map[string]bool{}, results: map[string]string{}}
		if p, ok := d.object.(*v1.Pipeline); ok {
			c.params = p.Spec.Params
			for _, w := range p.Spec.Workspaces {
				c.workspaces[w.Name] = w.Optional
			}
		} else if spec, ok := d.task(); ok {
			c = calleeOf(c.name, spec)
		} else {
			continue
		}
		all[c.name] = c
	}
	return all
}

func calleeOf(name string, spec v1.TaskSpec) callee {
	c := callee{name: name, params: spec.Params, workspaces: map[string]bool{}, results: map[string]string{}}
	for _, w := range spec.Workspaces {
		c.workspaces[w.Name] = w.Optional
	}
	for _, r := range spec.Results {
		c.results[r.Name] = string(r.Type)
	}
	return c
}

// check holds a call to what is called.
func (c callee) check(t *testing.T, where string, params v1.Params, matrix *v1.Matrix, workspaces []string) {
	t.Helper()
	given := map[string]string{}
	for _, p := range params {
		given[p.Name] = string(p.Value.Type)
	}
	if matrix != nil {
		for _, p := range matrix.Params {
			given[p.Name] = "string"
		}
	}
	for _, p := range c.params {
		kind, ok := given[p.Name]
		if !ok && p.Default == nil {
			t.Errorf("%s: param %s of %s is not given", where, p.Name, c.name)
		}
		want := string(p.Type)
		if want == "" {
			want = "string"
		}
		if ok && kind != "" && kind != want {
			t.Errorf("%s: param %s of %s is %s, given is %s", where, p.Name, c.name, want, kind)
		}
		delete(given, p.Name)
	}
	for name := range given {
		t.Errorf("%s: %s has no param %s", where, c.name, name)
	}
	for _, w := range workspaces {
		if _, ok := c.workspaces[w]; !ok {
			t.Errorf("%s: %s has no workspace %s", where, c.name, w)
		}
	}
	for w, optional := range c.workspaces {
		if !optional && !slices.Contains(workspaces, w) {
			t.Errorf("%s: workspace %s of %s is not bound", where, w, c.name)
		}
	}
}

func steps(t *testing.T, all map[string]callee, where string, spec v1.TaskSpec) {
	t.Helper()
	for _, s := range spec.Steps {
		if s.Ref == nil {
			continue
		}
		c, ok := all["StepAction "+s.Ref.Name]
		if !ok {
			t.Errorf("%s: step %s: there is no StepAction %s", where, s.Name, s.Ref.Name)
			continue
		}
		c.check(t, where+": step "+s.Name, s.Params, nil, nil)
	}
}

func bound(ws []v1.WorkspaceBinding) (names []string) {
	for _, w := range ws {
		names = append(names, w.Name)
	}
	return names
}

var taskResult = regexp.MustCompile(`\$\(tasks\.([a-z-]+)\.results\.([A-Za-z_-]+)(\[\*\])?\)`)

// TestReferences holds Pipelines, PipelineRuns and TaskRuns to the params,
// workspaces and results of what they name.
func TestReferences(t *testing.T) {
	all := callees(t)
	for _, d := range documents(t) {
		switch o := d.object.(type) {
		case *v1.TaskRun:
			if o.Spec.TaskRef == nil {
				steps(t, all, d.path, *o.Spec.TaskSpec)
				continue
			}
			all["Task "+o.Spec.TaskRef.Name].check(t, d.path, o.Spec.Params, nil, bound(o.Spec.Workspaces))
		case *v1.PipelineRun:
			all["Pipeline "+o.Spec.PipelineRef.Name].check(t, d.path, o.Spec.Params, nil, bound(o.Spec.Workspaces))
		case *v1.Pipeline:
			pipeline(t, all, d.path, o)
		}
	}
}

func pipeline(t *testing.T, all map[string]callee, where string, p *v1.Pipeline) {
	t.Helper()
	tasks := map[string]callee{}
	fanned := map[string]bool{}
	for _, pt := range p.Spec.Tasks {
		where := where + ": task " + pt.Name
		var c callee
		if pt.TaskSpec != nil {
			c = calleeOf("its spec", pt.TaskSpec.TaskSpec)
			steps(t, all, where, pt.TaskSpec.TaskSpec)
		} else {
			c = all["Task "+pt.TaskRef.Name]
		}
		var workspaces []string
		for _, w := range pt.Workspaces {
			workspaces = append(workspaces, w.Name)
		}
		c.check(t, where, pt.Params, pt.Matrix, workspaces)
		tasks[pt.Name], fanned[pt.Name] = c, pt.Matrix != nil
	}
	text, err := json.Marshal(p.Spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range taskResult.FindAllStringSubmatch(string(text), -1) {
		kind, ok := tasks[m[1]].results[m[2]]
		switch {
		case !ok:
			t.Errorf("%s: task %s has no result %s", where, m[1], m[2])
		case fanned[m[1]] && kind == "array":
			t.Errorf("%s: %s: Tekton gathers strings alone from the legs of a matrix", where, m[0])
		case (m[3] != "") != (fanned[m[1]] || kind == "array"):
			t.Errorf("%s: %s: the result is of type %q", where, m[0], kind)
		}
	}
	for _, param := range p.Spec.Params {
		if !strings.Contains(string(text), "$(params."+param.Name+")") && !strings.Contains(string(text), "$(params."+param.Name+"[*])") {
			t.Errorf("%s: no task takes the param %s", where, param.Name)
		}
	}
}

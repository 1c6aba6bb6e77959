package gitlab_test

import (
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// A variable of a GitLab job, as config has it: a text, or a text that is not expanded.
type jobVariable struct {
	Value  string
	Expand *bool
}

func (v *jobVariable) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		v.Value = n.Value
		return nil
	}
	type plain jobVariable
	return n.Decode((*plain)(v))
}

// jobVariables reads the variables of a component's job, with inputs in their places.
func jobVariables(t *testing.T, component, job string, inputs map[string]string) map[string]jobVariable {
	t.Helper()
	f, err := os.Open("../../templates/" + component + ".yml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var spec, rest yaml.Node
	d := yaml.NewDecoder(f)
	if err := d.Decode(&spec); err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(&rest); err != nil {
		t.Fatal(err)
	}
	var jobs map[string]yaml.Node
	if err := rest.Decode(&jobs); err != nil {
		t.Fatal(err)
	}
	n := jobs[job]
	var j struct{ Variables map[string]jobVariable }
	if err := n.Decode(&j); err != nil {
		t.Fatalf("%s: job %s: %v", component, job, err)
	}
	for name, v := range j.Variables {
		for input, value := range inputs {
			v.Value = strings.ReplaceAll(v.Value, "$[[ inputs."+input+" ]]", value)
		}
		j.Variables[name] = v
	}
	return j.Variables
}

// expand is what the runner does before a job: each variable that is not raw once, what is unknown to
// nothing, $$ to $ (gitlab-runner, common/variables.go, JobVariables.Expand).
func expand(variables map[string]jobVariable) map[string]string {
	values := map[string]string{}
	for name, v := range variables {
		if v.Expand != nil && !*v.Expand {
			values[name] = v.Value
			continue
		}
		values[name] = os.Expand(v.Value, func(of string) string {
			if of == "$" {
				return "$"
			}
			return variables[of].Value
		})
	}
	return values
}

// A script reaches the shell as it was written: gitlab-ci-local does not show what GitLab makes of $.
func TestScriptsArriveAsWritten(t *testing.T) {
	const script = "echo \"$PLATFORM $OCI_LAYOUT ${BUILD_CONTEXT} $? $1 $@ $$ $(id)\"\nmake"
	inputs := map[string]string{"command": script, "child-script": script, "gate": script}
	for component, name := range map[string]string{"build-image": "POLYARCH_COMMAND", "stitch-index": "POLYARCH_COMMAND", "detect-arch": "POLYARCH_FLAG_CHILD_SCRIPT"} {
		if got := expand(jobVariables(t, component, "$[[ inputs.job-name ]]", inputs))[name]; got != script {
			t.Errorf("%s: %s is %q, want %q", component, name, got, script)
		}
	}
	if got := expand(jobVariables(t, "stitch-index", "$[[ inputs.job-name ]]", inputs))["POLYARCH_FLAG_GATE"]; got != script {
		t.Errorf("stitch-index: the gate is %q, want %q", got, script)
	}
	// by way of the child pipeline: the trigger hands its variables down, raw ones as raw (gitlab,
	// lib/gitlab/ci/variables/downstream/raw_variable_generator.rb)
	down := jobVariables(t, "build-multi-arch", "$[[ inputs.job-prefix ]]build", inputs)
	child := jobVariables(t, "build-image", "$[[ inputs.job-name ]]", map[string]string{"command": "$POLYARCH_CHILD_COMMAND"})
	child["POLYARCH_CHILD_COMMAND"] = down["POLYARCH_CHILD_COMMAND"]
	values := expand(child)
	got := job(t, t.TempDir(), path(t, fake), "POLYARCH_COMMAND="+values["POLYARCH_COMMAND"], "POLYARCH_CHILD_COMMAND="+values["POLYARCH_CHILD_COMMAND"])
	if want := "[--]\n[sh]\n[-euc]\n[" + script + "]\n"; got.code != 0 || got.out != want {
		t.Errorf("the child's command is %+v, want %q", got, want)
	}
	// and what is no script is expanded as ever
	if got := expand(jobVariables(t, "build-image", "$[[ inputs.job-name ]]", map[string]string{"platform": "$P"})); got["POLYARCH_FLAG_PLATFORM"] != "" {
		t.Errorf("an input is not expanded: %q", got["POLYARCH_FLAG_PLATFORM"])
	}
}

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/flagset"
)

// An input is a flag as an action or a component offers it.
type input struct {
	flagset.Info
	Program      string // the first that has it
	Bool, Number bool
	Options      []string // of a choice
}

// notInputs are the flags that no pipeline's form offers, and why.
var notInputs = map[string]string{
	"json":       "a step has outputs, its log is for people",
	"result":     "the step sets all results",
	"github":     "the action says it",
	"dotenv":     "the component says it",
	"quiet":      "a log is folded, and kept for the day it is needed",
	"version":    "the input of this name says which release to run",
	"help":       "it is in the documents",
	"completion": "it is for shells",
	"install":    "Tasks do it where they need it",
	"policy":     "what a step prints is only its log, and policy-update writes a file",
}

// gitlabInputs are the flags that are inputs only of GitLab's components: a
// child pipeline is GitLab's, and a step's summary on GitHub shows the diff.
var gitlabInputs = []string{"child-pipeline", "child-job", "child-script", "diff"}

// defaults are where a form differs from the flag, and why.
var defaults = map[string]string{
	"write": "true", // what a step prints is only its log
}

// componentDefaults are the values that GitLab sets for every project, and
// files whose names artifacts:paths must know.
var componentDefaults = map[string]string{
	"stitch-index image":          "$CI_REGISTRY_IMAGE",
	"stitch-index tag":            "$CI_COMMIT_REF_SLUG",
	"stitch-index artifacts-file": "polyarch-artifacts.json",
	"detect-arch child-pipeline":  "polyarch-build.yml",
}

// inputs returns the flags that are inputs, those that several programs share
// once. A shared flag keeps each description, and has no default if they differ.
func inputs(helps []*help) []input {
	var all []input
	seen := map[string]int{}
	for _, h := range helps {
		for _, f := range h.Flags {
			if _, not := notInputs[f.Name]; not {
				continue
			}
			in := newInput(h.Name, f)
			if i, ok := seen[f.Name]; ok {
				all[i].share(in, h.Name)
				continue
			}
			seen[f.Name] = len(all)
			all = append(all, in)
		}
	}
	return all
}

// githubInputs returns the inputs of an action.
func githubInputs(helps []*help) []input {
	return slices.DeleteFunc(inputs(helps), func(in input) bool { return slices.Contains(gitlabInputs, in.Name) })
}

func newInput(program string, f flagset.Info) input {
	in := input{Info: f, Program: program}
	if f.Repeatable {
		in.Description = list(f.Description)
	}
	in.Default = cmp.Or(defaults[f.Name], f.Default)
	switch words := strings.Split(f.Placeholder, "|"); {
	case f.Placeholder == "":
		in.Bool, in.Default = true, cmp.Or(in.Default, "false")
	case len(words) > 1:
		in.Options = words
	default:
		in.Number = f.Default != "" && strings.Trim(f.Default, "0123456789") == ""
	}
	return in
}

// share makes in stand for another program's flag too.
func (in *input) share(other input, program string) {
	if in.Default != other.Default {
		if in.Default != "" {
			in.Description += " (default " + in.Default + ")"
		}
		if other.Default != "" {
			other.Description += " (default " + other.Default + ")"
		}
		in.Default = ""
	}
	if !strings.Contains(in.Description, other.Description) {
		in.Description += "; " + program + ": " + other.Description
	}
}

// list adapts the description of a list: a flag is repeated, an input has lines.
func list(description string) string {
	for _, of := range []string{"can be repeated, or one on each line", "can be repeated"} {
		if before, after, ok := strings.Cut(description, of); ok {
			return before + "one on each line" + after
		}
	}
	return description + "; one on each line"
}

// variable is the environment variable that carries an input to the script.
func variable(flag string) string {
	return "POLYARCH_FLAG_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// childVariable carries an input into a child pipeline.
func childVariable(flag string) string {
	return "POLYARCH_CHILD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// componentValue returns the value of a job's variable. GitLab refuses a boolean there, but
// takes it as text with a blank beside it, which the script removes again.
func componentValue(in input) string {
	if in.Name == "child-script" || in.Name == "gate" { // a script: what its $ mean is the shell's to say
		return `{value: "$[[ inputs.` + in.Name + ` ]]", expand: false}`
	}
	if in.Bool {
		return `" $[[ inputs.` + in.Name + ` ]]"`
	}
	return `"$[[ inputs.` + in.Name + ` ]]"`
}

// A block writes one kind of generated lines, without indentation.
type block func(h []*help) []string

var blocks = map[string]block{
	// inputs of a GitHub action
	"action-inputs": func(h []*help) (out []string) {
		for _, in := range githubInputs(h) {
			out = append(out, in.Name+":")
			out = append(out, described(in.Description)...)
			out = append(out, fmt.Sprintf("  default: %s", quote(in.Default)))
		}
		return out
	},
	// inputs of a reusable GitHub workflow, which have types
	"workflow-inputs": func(h []*help) (out []string) {
		for _, in := range githubInputs(h) {
			out = append(out, in.Name+":")
			out = append(out, described(in.Description)...)
			kind, value := "string", quote(in.Default)
			if in.Bool {
				kind, value = "boolean", in.Default
			}
			out = append(out, "  type: "+kind, "  default: "+value)
		}
		return out
	},
	// what a reusable workflow hands to the action of a program
	"workflow-with": func(h []*help) (out []string) {
		for _, in := range githubInputs(h) {
			out = append(out, fmt.Sprintf("%s: ${{ inputs.%s }}", in.Name, in.Name))
		}
		return out
	},
	// outputs of a GitHub action. If several programs have a result, the last one
	// that ran counts.
	"action-outputs": func(h []*help) (out []string) {
		var names []string
		text := map[string]string{}
		for _, p := range slices.Backward(h) {
			for _, r := range slices.Backward(p.Results) {
				if _, ok := text[r.Name]; !ok {
					names, text[r.Name] = append(names, r.Name), r.Description
				}
			}
		}
		for _, n := range slices.Backward(names) {
			out = append(out, n+":")
			out = append(out, described(text[n])...)
		}
		return out
	},
	// inputs of a GitLab component
	"component-inputs": func(h []*help) (out []string) {
		for _, in := range inputs(h) {
			out = append(out, in.Name+":")
			out = append(out, described(in.Description)...)
			value := quote(cmp.Or(componentDefaults[in.Program+" "+in.Name], in.Default))
			switch {
			case in.Bool:
				out, value = append(out, "  type: boolean"), in.Default
			case in.Number:
				out, value = append(out, "  type: number"), in.Default
			case in.Options != nil:
				var words []string // in quotes: off is a boolean in YAML
				for _, w := range in.Options {
					words = append(words, quote(w))
				}
				out = append(out, "  options: ["+strings.Join(words, ", ")+"]")
			}
			out = append(out, "  default: "+value)
		}
		return out
	},
	// which release a GitLab component runs
	"component-version": func(h []*help) (out []string) {
		out = append(out, "version:")
		out = append(out, described("the release of polyarch to run, for example v1.2.3; not used where the job-image has the program")...)
		return append(out, "  default: "+h[0].Version)
	},
	// what a component hands to one that it includes
	"component-with": func(h []*help) (out []string) {
		for _, in := range inputs(h) {
			out = append(out, fmt.Sprintf("%s: $[[ inputs.%s ]]", in.Name, in.Name))
		}
		return out
	},
	// what a component hands to one in a child pipeline, as text of a script: free
	// text by variables, since it could be more than a word of YAML
	"child-with": func(h []*help) (out []string) {
		for _, in := range inputs(h) {
			value := "$" + childVariable(in.Name)
			switch {
			case in.Bool || in.Number:
				value = "$[[ inputs." + in.Name + " ]]"
			case in.Options != nil:
				value = quote("$[[ inputs." + in.Name + " ]]") // off is a truth value
			}
			out = append(out, in.Name+": "+value)
		}
		return out
	},
	// these variables
	"child-variables": func(h []*help) (out []string) {
		for _, in := range inputs(h) {
			if !in.Bool && !in.Number && in.Options == nil {
				out = append(out, fmt.Sprintf(`%s: "$[[ inputs.%s ]]"`, childVariable(in.Name), in.Name))
			}
		}
		return out
	},
	// variables of the GitLab job that runs the program
	"component-variables": func(h []*help) (out []string) {
		for _, in := range inputs(h) {
			out = append(out, variable(in.Name)+": "+componentValue(in))
		}
		return out
	},
}

// described returns a description as a folded text, which needs no quotes.
func described(text string) []string {
	out := []string{"  description: >-"}
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > 110 {
			out, line = append(out, "    "+line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(out, "    "+line)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/internal/cluster"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/kubeyaml"
	"github.com/polyarch/polyarch/internal/text"
)

// maxManifest is how many bytes a file of --for may have.
const maxManifest = 64 << 20

// kindName is KIND/NAME, as kubectl names an object.
var kindName = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9.]*)/([a-z0-9]([-a-z0-9.]*[a-z0-9])?)$`)

// shortKinds are kubectl's short names of kinds.
var shortKinds = map[string]string{
	"cj": "cronjob", "deploy": "deployment", "ds": "daemonset", "po": "pod", "rc": "replicationcontroller", "rs": "replicaset", "sts": "statefulset",
}

// workload reads the one workload that --for is about, or returns nil if the
// flag is not there.
func (c *config) workload(stdin io.Reader) (*cluster.Workload, error) {
	if len(c.workloads) == 0 {
		return nil, nil
	}
	var files, names []string
	for _, v := range c.workloads {
		if _, err := os.Stat(v); err != nil && v != "-" && kindName.MatchString(v) {
			names = append(names, v)
		} else {
			files = append(files, v)
		}
	}
	switch {
	case len(files) == 0:
		return nil, exit.Usagef("--for %s names an object: name the file that it is in too", names[0]).Hint("for example: --for deploy.yaml --for %s", names[0])
	case len(names) > 1:
		return nil, exit.Usagef("--for is about one workload: leave out %s", strings.Join(names[1:], ", "))
	case slices.Contains(files, "-") && slices.Contains(c.files, "-"):
		return nil, exit.Usagef("--for and --from-file both read standard input: name a file for one of them")
	}
	var found []*kubeyaml.Workload
	var beside []json.RawMessage
	for _, f := range files {
		ws, others, err := readWorkloads(f, stdin)
		if err != nil {
			return nil, err
		}
		found, beside = append(found, ws...), append(beside, others...)
	}
	w, err := pickWorkload(found, names, strings.Join(files, ", "))
	if err != nil {
		return nil, err
	}
	object, podSpec, err := w.JSON()
	if err != nil {
		return nil, exit.Failf("reading %s: %w", strings.Join(files, ", "), err)
	}
	out, err := cluster.NewWorkload(cluster.Workload{Name: nameOf(w), Kind: w.Kind, Namespace: w.Namespace, Spec: w.Spec, Beside: beside}, podSpec, object)
	if err != nil {
		return nil, exit.Failf("reading %s: %s: %s", strings.Join(files, ", "), nameOf(w), text.Line(err.Error())).Hint("kubectl apply --dry-run=server -f shows what is wrong with it")
	}
	return out, nil
}

func nameOf(w *kubeyaml.Workload) string { return text.Line(w.Kind + "/" + w.Name) }

// pickWorkload returns the workload of that name, or the only one.
func pickWorkload(found []*kubeyaml.Workload, names []string, where string) (*kubeyaml.Workload, error) {
	var all []string
	for _, w := range found {
		all = append(all, nameOf(w))
	}
	if len(all) > 20 {
		all = append(all[:20], fmt.Sprintf("and %d more", len(found)-20))
	}
	list := strings.Join(all, ", ")
	if len(names) > 0 {
		kind, name, _ := strings.Cut(names[0], "/")
		kind = strings.ToLower(kind)
		if long := shortKinds[kind]; long != "" {
			kind = long
		}
		var picked []*kubeyaml.Workload
		for _, w := range found {
			if strings.ToLower(w.Kind) == kind && w.Name == name {
				picked = append(picked, w)
			}
		}
		if len(picked) == 0 {
			return nil, exit.Usagef("reading %s: there is no workload %s; there are %s", where, names[0], list)
		}
		found = picked
	}
	switch len(found) {
	case 0:
		return nil, exit.Failf("reading %s: there is no workload in it", where).Hint("--for takes what kubectl apply -f takes: a Pod, a Deployment, a Job and the like; a workload of apps/v1 without spec.selector is taken for a patch")
	case 1:
		return found[0], nil
	}
	if len(names) > 0 {
		return nil, exit.Usagef("reading %s: there are %d workloads %s, in different namespaces or places", where, len(found), names[0])
	}
	return nil, exit.Usagef("reading %s: there are %d workloads in it: %s", where, len(found), list).Hint("name one of them too, for example --for %s", nameOf(found[0]))
}

// readWorkloads reads the workloads of a file, and the objects beside them that
// decide where they run.
func readWorkloads(path string, stdin io.Reader) (found []*kubeyaml.Workload, beside []json.RawMessage, err error) {
	name, in := path, stdin
	if path == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, exit.Failf("reading manifests: %w", err)
		}
		defer f.Close()
		if i, err := f.Stat(); err == nil && i.IsDir() {
			return nil, nil, exit.Usagef("--for %s is a directory: name the file that holds the workload", path)
		}
		in = f
	}
	in = io.LimitReader(in, maxManifest+1)
	read, size := &kubeyaml.Reader{Named: true}, 0
	err = kubeyaml.Split(in, func(c kubeyaml.Chunk) error {
		if size += len(c.Bytes); size > maxManifest {
			return exit.Failf("it is longer than %d MiB", maxManifest>>20)
		}
		d, err := read.Read(c)
		if err != nil {
			return err
		}
		found = append(found, d.Workloads...)
		others, err := besides(c.Bytes)
		beside = append(beside, others...)
		return err
	})
	if err != nil {
		return nil, nil, exit.Failf("reading %s: %w", name, err)
	}
	return found, beside, nil
}

// besideKinds are what a workload depends on, and manifests may bring along.
var besideKinds = []string{"Namespace", "PersistentVolume", "PersistentVolumeClaim", "RuntimeClass", "StorageClass"}

// besides returns the objects of those kinds in a document, as JSON.
func besides(document []byte) ([]json.RawMessage, error) {
	if !slices.ContainsFunc(besideKinds, func(k string) bool { return bytes.Contains(document, []byte(k)) }) {
		return nil, nil
	}
	var found []json.RawMessage
	dec := yaml.NewDecoder(bytes.NewReader(document))
	for {
		var object map[string]any
		if err := dec.Decode(&object); err == io.EOF {
			return found, nil
		} else if err != nil {
			return nil, nil // it is for the reader of workloads to complain
		}
		objects := []any{object}
		if items, ok := object["items"].([]any); ok {
			objects = items
		}
		for _, o := range objects {
			m, _ := o.(map[string]any)
			kind, _ := m["kind"].(string)
			if !slices.Contains(besideKinds, kind) {
				continue
			}
			raw, err := json.Marshal(m)
			if err != nil {
				return nil, exit.Failf("%s: %w", kind, err)
			}
			found = append(found, raw)
		}
	}
}

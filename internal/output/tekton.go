package output

import (
	"encoding/json"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/text"
)

// tekton writes each result to a file of its own, as Tekton reads it, and any
// other system that passes values in files.
type tekton struct {
	Plain
	names flagset.Words
}

func (t *tekton) Register(fs *flagset.Set) {
	fs.Var(&t.names, "result", "write one result to a file, without a newline: `NAME=PATH`, or NAME[*]=PATH for a list as a JSON array; can be repeated")
}

func (t *tekton) Wanted() string {
	if len(t.names) == 0 {
		return ""
	}
	return "--result"
}

func (t *tekton) Check(specs []Spec, _ World) error {
	paths := map[string]string{}
	for _, f := range t.names {
		name, list, path, err := splitFile(f)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(specs, func(s Spec) bool { return s.Name == name })
		if i < 0 {
			e := exit.Usagef("flag --result: there is no result %q; there are %s", name, strings.Join(names(specs), ", "))
			if n := text.Nearest(name, names(specs)); n != "" {
				e.Hint("did you mean %s?", n)
			}
			return e
		}
		if list && !specs[i].List {
			return exit.Usagef("flag --result: %s is not a list", name).Hint("write --result %s=%s", name, path)
		}
		if other := paths[same(path)]; other != "" {
			return exit.Usagef("flag --result: %s and %s would be written to the same file, %s", other, name, path)
		}
		paths[same(path)] = name
	}
	return nil
}

func (t *tekton) Files(r Report, _ World) ([]File, error) {
	var files []File
	for _, f := range t.names {
		name, list, path, err := splitFile(f)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(r.Results, func(r Result) bool { return r.Name == name })
		if i < 0 {
			return nil, exit.Failf("writing result %s: this run has none", name)
		}
		b := []byte(r.Results[i].Text)
		if list {
			b = jsonList(r.Results[i].List)
		} else if err := oneLine(r.Results[i]); err != nil {
			return nil, err
		}
		files = append(files, File{path, b})
	}
	return files, fitsTermination(files, os.ReadFile)
}

// terminationBytes is what Kubernetes takes of a container's termination
// message, which carries all results of a Tekton step
// (tektoncd/pipeline, pkg/termination/write.go: MaxContainerTerminationMessageLength).
const terminationBytes = 4096

// fitsTermination refuses results that Tekton would throw away: a step whose
// message is too long fails after its work is done, and names no result.
func fitsTermination(files []File, read func(string) ([]byte, error)) error {
	type entry struct { // tektoncd/pipeline, pkg/result/result.go: RunResult
		Key   string `json:"key"`
		Value string `json:"value"`
		Type  int    `json:"type"`
	}
	entries := []entry{{"StartedAt", "2006-01-02T15:04:05.000Z", 3}} // what Tekton adds by itself
	largest := entry{}
	for _, f := range files {
		if !strings.HasPrefix(path.Clean(f.Path), "/tekton/") {
			continue
		}
		e := entry{path.Base(f.Path), string(f.Bytes), 1}
		if entries = append(entries, e); len(e.Value) > len(largest.Value) {
			largest = e
		}
	}
	b, _ := json.Marshal(entries) // strings always can
	if len(b) <= terminationBytes {
		return nil
	}
	// The entrypoint is the container's first process. Its flags say if results
	// go another way, or compressed: then Tekton itself measures them.
	if argv, err := read("/proc/1/cmdline"); err == nil {
		if s := string(argv); strings.Contains(s, "sidecar-logs") || strings.Contains(s, "compress_termination_message=true") {
			return nil
		}
	}
	return exit.Failf("writing results: they take %d bytes, and Tekton carries %d for all results of a step; the largest is %s with %d", len(b), terminationBytes, largest.Key, len(largest.Value)).
		Hint("leave %s out of --result and pass it in a workspace: --json > $(workspaces.NAME.path)/FILE", largest.Key).
		Hint(`or set "results-from": "sidecar-logs" in Tekton's ConfigMap feature-flags, which raises the limit`)
}

func splitFile(f string) (name string, list bool, path string, err error) {
	name, path, ok := strings.Cut(f, "=")
	if !ok || name == "" || path == "" {
		return "", false, "", exit.Usagef("flag --result: %q is not NAME=PATH", f)
	}
	name, list = strings.CutSuffix(name, "[*]")
	return name, list, path, nil
}

func jsonList(l []string) []byte {
	if l == nil {
		l = []string{}
	}
	b, _ := json.Marshal(l) // strings always can
	return b
}

func names(specs []Spec) []string {
	var n []string
	for _, s := range specs {
		n = append(n, s.Name)
	}
	return n
}

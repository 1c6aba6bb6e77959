package corpus_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/yaml"
)

// program builds inject-affinity.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "corpus-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "inject-affinity")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/inject-affinity")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// inject runs the program on a file, or on standard input if file is "".
func inject(t testing.TB, stdin []byte, args ...string) (out []byte, errs string, code int) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	var o, e bytes.Buffer
	cmd := exec.Command(path, append([]string{"--offline"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &o, &e
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return o.Bytes(), e.String(), cmd.ProcessState.ExitCode()
}

// choices are the platforms that images of the corpus are given, by their name:
// each has one in common with every other.
var choices = []string{"linux/amd64", "linux/amd64,linux/arm64", "linux/amd64,linux/arm64,linux/s390x,linux/arm/v7", "linux/amd64,windows/amd64"}

func platformsOf(image string) []string {
	h := fnv.New32a()
	h.Write([]byte(image))
	return strings.Split(choices[h.Sum32()%uint32(len(choices))], ",")
}

// unpinned takes the tag and the digest from an image, as the program does to
// find it: what is named is the repository.
func unpinned(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image
}

var imageLine = regexp.MustCompile(`(?m)"?image"?:[ \t]*("[^"\n]*"|'[^'\n]*'|[^\s#,}]+)`)

// flags returns an --image for each image that a text may name.
func flags(text []byte) []string {
	var out []string
	for _, m := range imageLine.FindAllSubmatch(text, -1) {
		image := strings.Trim(string(m[1]), `"'`)
		if image == "" || image == "null" || strings.ContainsAny(image, "{}$<>;= ") {
			continue
		}
		flag := "--image=" + unpinned(image) + "=;" + strings.Join(platformsOf(unpinned(image)), ",")
		if !slices.Contains(out, flag) {
			out = append(out, flag)
		}
	}
	return out
}

// documents decodes a stream as the API machinery does; ok is false where it
// cannot.
func documents(text []byte) (docs []any, ok bool) {
	for doc := range strings.SplitSeq("\n"+strings.ReplaceAll(string(text), "\r\n", "\n"), "\n---") {
		if first, rest, found := strings.Cut(doc, "\n"); found && len(docs) >= 0 && strings.HasPrefix(strings.TrimSpace(first), "#") {
			doc = rest
		}
		b, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			return nil, false
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			return nil, false
		}
		docs = append(docs, v)
	}
	return docs, true
}

// A visited PodSpec of a document, before and after.
type visited struct {
	kind, name    string // of the object it is in
	path          string
	before, after map[string]any
}

// pods walks two versions of a document and returns what looks like PodSpecs.
func pods(kind, name, path string, before, after any, out *[]visited) {
	switch b := before.(type) {
	case []any:
		a, _ := after.([]any)
		for i := range b {
			if i < len(a) {
				pods(kind, name, path+"[*]", b[i], a[i], out)
			}
		}
	case map[string]any:
		a, _ := after.(map[string]any)
		if k, ok := b["kind"].(string); ok && b["apiVersion"] != nil {
			kind, path, name = fmt.Sprint(b["apiVersion"], " ", k), "", ""
			if meta, ok := b["metadata"].(map[string]any); ok {
				for _, key := range []string{"generateName", "name"} {
					if s, ok := meta[key].(string); ok {
						name = s
					}
				}
			}
		}
		if strings.Contains(kind, " Workflow") || strings.Contains(kind, "Workflow") && strings.HasPrefix(kind, "argoproj.io/") {
			inherit(b, a)
		}
		if len(images(b)) > 0 {
			*out = append(*out, visited{kind, name, path, b, a})
		}
		for key := range b {
			if key != "affinity" && key != "tolerations" && key != "containerSet" {
				pods(kind, name, path+"."+key, b[key], a[key], out)
			}
		}
	}
}

// inherit gives the templates of a workflow the nodeSelector that they take
// from it, and makes lists of what a template runs, so that it is a PodSpec.
func inherit(before, after map[string]any) {
	for _, spec := range []map[string]any{before, after} {
		templates, _ := spec["templates"].([]any)
		for _, t := range templates {
			t, ok := t.(map[string]any)
			if !ok {
				continue
			}
			var runs []any
			for _, key := range []string{"container", "script"} {
				if c, ok := t[key].(map[string]any); ok {
					runs = append(runs, c)
				}
			}
			if sidecars, ok := t["sidecars"].([]any); ok {
				runs = append(runs, sidecars...)
			}
			if set, ok := t["containerSet"].(map[string]any); ok {
				if l, ok := set["containers"].([]any); ok {
					runs = append(runs, l...)
				}
			}
			if len(runs) > 0 {
				t["containers"] = runs
			}
			if t["nodeSelector"] == nil && spec["nodeSelector"] != nil {
				t["nodeSelector"] = spec["nodeSelector"]
			}
		}
	}
}

// images returns the images of a PodSpec's containers.
func images(spec map[string]any) []string {
	var out []string
	for _, list := range []string{"initContainers", "containers"} {
		l, _ := spec[list].([]any)
		for _, c := range l {
			if c, ok := c.(map[string]any); ok {
				if image, ok := c["image"].(string); ok && image != "" {
					out = append(out, image)
				}
			}
		}
	}
	return out
}

// podlike are the files that may hold a PodSpec; the others are not read.
var podlike = regexp.MustCompile(`containers"?:|argoproj\.io(?s:.*)(?:container|script):`)

// TestCorpus runs the program on each file by itself.
func TestCorpus(t *testing.T) {
	if _, err := program(); err != nil {
		t.Fatal(err)
	}
	var manifests, passed, left, refused, specs atomic.Int64
	var reasons sync.Map
	work := make(chan string)
	var wg sync.WaitGroup
	for range max(2, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for path := range work {
				text, err := os.ReadFile(path)
				if err != nil {
					t.Error(err)
					continue
				}
				if !podlike.Match(text) || !bytes.Contains(text, []byte("apiVersion")) || !bytes.Contains(text, []byte("kind")) || bytes.Contains(text, []byte("{{")) {
					continue
				}
				manifests.Add(1)
				argv := append(flags(text), "--on-unknown=skip")
				out, errs, code := inject(t, nil, append(argv, path)...)
				if code != 0 {
					refused.Add(1)
					if !strings.Contains(errs, "error: ") || len(out) > 0 {
						t.Errorf("%s: code %d\n%s", path, code, errs)
					}
					first, _, _ := strings.Cut(errs[strings.Index(errs, "error: "):], "\n")
					reasons.Store(path, first)
					continue
				}
				if !within(text, out) {
					t.Errorf("%s: bytes are lost", path)
				}
				if bytes.Equal(text, out) {
					left.Add(1)
				} else if again, errs, code := inject(t, out, argv...); code != 0 || !bytes.Equal(again, out) {
					t.Errorf("%s: the second run, code %d, changes it\n%s", path, code, errs)
				}
				before, ok := documents(text)
				after, okAfter := documents(out)
				if !ok {
					continue // what has no workload need not parse
				}
				if !okAfter || len(before) != len(after) {
					t.Errorf("%s: %d documents became %d", path, len(before), len(after))
					continue
				}
				passed.Add(1)
				for i := range before {
					var found []visited
					pods("", "", "", before[i], after[i], &found)
					for _, v := range found {
						specs.Add(1)
						if why := unlawful(v); why != "" && !spoken(v, errs) {
							t.Errorf("%s: %s%s: %s\n%s", path, v.kind, v.path, why, errs)
						}
					}
				}
			}
		})
	}
	for _, path := range files(t) {
		work <- path
	}
	close(work)
	wg.Wait()
	reasons.Range(func(path, why any) bool { t.Logf("refused: %s", why); return true })
	t.Logf("%d manifests, %d judged, %d PodSpecs, %d unchanged, %d refused", manifests.Load(), passed.Load(), specs.Load(), left.Load(), refused.Load())
	if manifests.Load() < 1500 || specs.Load() < 1500 || refused.Load()*20 > manifests.Load() {
		t.Error("the corpus is too small, or too much of it is refused")
	}
}

// within reports whether in is a subsequence of out.
func within(in, out []byte) bool {
	at := 0
	for _, c := range in {
		n := bytes.IndexByte(out[at:], c)
		if n < 0 {
			return false
		}
		at += n + 1
	}
	return true
}

// podless are kinds whose containers are not run as they stand.
var podless = regexp.MustCompile(`kyverno\.io/|SidecarSet|CustomResourceDefinition| ControllerRevision`)

// spoken reports whether the program said that it left a PodSpec alone: what it
// said of another one in the file does not count.
func spoken(v visited, errs string) bool {
	_, kind, _ := strings.Cut(v.kind, " ")
	switch {
	case v.kind == "" || podless.MatchString(v.kind), strings.HasPrefix(v.path, ".status"), strings.HasPrefix(v.path, ".metadata"):
		return true // not an object
	case strings.Contains(errs, "/"+kind+" holds containers and was not looked at"), strings.Contains(errs, ": "+kind+" holds containers and was not looked at"):
		return true
	}
	object := ": " + strings.TrimSpace(kind+" "+v.name) + ": "
	for line := range strings.Lines(errs) {
		switch {
		case strings.Contains(line, "lists it as a patch, so it is left alone"): // all of the file
			return true
		case strings.Contains(line, "; it is left alone") && strings.Contains(line, object):
			return true
		case strings.Contains(line, " are not known, so it narrows nothing"):
			if slices.ContainsFunc(images(v.before), func(image string) bool { return strings.Contains(line, "image "+image+" are") }) {
				return true
			}
		}
	}
	return false
}

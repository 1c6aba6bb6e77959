package clustertest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
)

// A Server answers GET requests. Its fields are set before the first request.
type Server struct {
	URL     string
	Objects map[string][]map[string]any // by path, for example /api/v1/nodes, in the server's order
	Groups  map[string]string           // API groups, and their versions with commas between, the preferred one first

	// Before answers a request itself, if it returns true.
	Before func(w http.ResponseWriter, r *http.Request) bool

	IgnoreLimit bool // as with resourceVersion=0, and proxies that cache
	JSONOnly    bool // no protobuf
	WholeOnly   bool // no metadata alone

	mu       sync.Mutex
	requests []string
	plain    int64
	wire     int64
}

// Start starts a server with nodes.
func Start(t testing.TB, nodes ...map[string]any) *Server {
	t.Helper()
	s := &Server{Objects: map[string][]map[string]any{"/api/v1/nodes": nodes}}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// StartTLS starts a server with nodes that speaks TLS, without which client-go
// sends no credentials. No known authority has signed its certificate.
func StartTLS(t testing.TB, nodes ...map[string]any) *Server {
	t.Helper()
	s := &Server{Objects: map[string][]map[string]any{"/api/v1/nodes": nodes}}
	h := httptest.NewUnstartedServer(s)
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.StartTLS()
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Kubeconfig writes one with a context for each server, and returns its path.
// The first context is the current one.
func Kubeconfig(t testing.TB, contexts ...string) string {
	t.Helper()
	var clusters, ctxs []string
	current := ""
	for i, c := range contexts { // name=url
		name, url, _ := strings.Cut(c, "=")
		if i == 0 {
			current = name
		}
		clusters = append(clusters, fmt.Sprintf("{name: %q, cluster: {server: %q}}", name, url))
		ctxs = append(ctxs, fmt.Sprintf("{name: %q, context: {cluster: %q, user: u}}", name, name))
	}
	text := fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: %q, users: [{name: u, user: {token: t}}], clusters: [%s], contexts: [%s]}\n",
		current, strings.Join(clusters, ", "), strings.Join(ctxs, ", "))
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Requests returns the requests so far, sorted: what is read, its query, and
// "metadata" or "whole".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.requests))
}

// Bytes returns the length of all bodies, and how much of it went over the
// wire.
func (s *Server) Bytes() (plain, wire int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plain, s.wire
}

// Refuse writes a Status, as the API server does.
func Refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Code: int32(code), Reason: metav1.StatusReason(reason), Message: message,
	})
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	metadata := strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadataList") && !s.WholeOnly
	what := "whole"
	if metadata {
		what = "metadata"
	}
	q := r.URL.Query()
	line := r.URL.Path
	for _, k := range []string{"labelSelector", "fieldSelector", "limit", "continue"} {
		if q.Has(k) {
			line += " " + k + "=" + q.Get(k)
		}
	}
	s.mu.Lock()
	s.requests = append(s.requests, line+" "+what)
	s.mu.Unlock()
	if s.Before != nil && s.Before(w, r) {
		return
	}
	if r.URL.Path == "/apis" {
		s.groups(w, r)
		return
	}
	if parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/"); len(parts) == 3 && parts[0] == "apis" && slices.Contains(strings.Split(s.Groups[parts[1]], ","), parts[2]) {
		s.resources(w, r)
		return
	}
	objects, ok := s.Objects[r.URL.Path]
	if o := s.one(r.URL.Path); !ok && o != nil {
		s.write(w, r, "application/json", mustJSON(o))
		return
	}
	if !ok {
		Refuse(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
		return
	}
	selector, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		Refuse(w, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	var picked []map[string]any
	for _, o := range objects {
		cordoned, _ := at(o, "spec", "unschedulable").(bool)
		if selector.Matches(labels.Set(Labels(o))) && fieldsMatch(q.Get("fieldSelector"), o, cordoned) {
			picked = append(picked, o)
		}
	}
	from, _ := strconv.Atoi(q.Get("continue"))
	picked = picked[min(from, len(picked)):]
	next := ""
	if limit, _ := strconv.Atoi(q.Get("limit")); limit > 0 && limit < len(picked) && !s.IgnoreLimit {
		picked, next = picked[:limit], strconv.Itoa(from+limit)
	}
	switch {
	case metadata && !s.JSONOnly && strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.kubernetes.protobuf"):
		s.write(w, r, "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", metadataProtobuf(picked, next))
	case metadata:
		s.write(w, r, "application/json", metadataJSON(picked, next))
	default:
		s.write(w, r, "application/json", mustJSON(map[string]any{"kind": "NodeList", "apiVersion": "v1", "metadata": map[string]any{"resourceVersion": "1", "continue": next}, "items": picked}))
	}
}

func (s *Server) groups(w http.ResponseWriter, r *http.Request) {
	list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for g, versions := range s.Groups {
		group := metav1.APIGroup{Name: g}
		for v := range strings.SplitSeq(versions, ",") {
			group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: g + "/" + v, Version: v})
		}
		group.PreferredVersion = group.Versions[0]
		list.Groups = append(list.Groups, group)
	}
	s.write(w, r, "application/json", mustJSON(list))
}

func fieldsMatch(selector string, o map[string]any, cordoned bool) bool {
	for s := range strings.SplitSeq(selector, ",") {
		name, _ := at(o, "metadata", "name").(string)
		switch {
		case s == "spec.unschedulable=false" && cordoned:
			return false
		case strings.HasPrefix(s, "metadata.name=") && s != "metadata.name="+name:
			return false
		case strings.HasPrefix(s, "metadata.name!=") && s == "metadata.name!="+name:
			return false
		}
	}
	return true
}

// kinds are those whose objects a test may leave without a kind.
var kinds = map[string]string{
	"nodepools": "NodePool", "provisioners": "Provisioner", "ec2nodeclasses": "EC2NodeClass",
	"machinedeployments": "MachineDeployment", "machinesets": "MachineSet", "machinepools": "MachinePool", "computeclasses": "ComputeClass",
}

// resources lists what a version of a group serves: what there are objects of,
// and what belongs to it.
func (s *Server) resources(w http.ResponseWriter, r *http.Request) {
	list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: strings.TrimPrefix(r.URL.Path, "/apis/")}
	for path, objects := range s.Objects {
		plural, ok := strings.CutPrefix(path, r.URL.Path+"/")
		if !ok {
			continue
		}
		kind := kinds[plural]
		if len(objects) > 0 && kind == "" {
			kind, _ = objects[0]["kind"].(string)
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: plural + "/status", Kind: kind}, metav1.APIResource{Name: plural, Kind: kind})
	}
	s.write(w, r, "application/json", mustJSON(list))
}

// one returns a single object, by the path of its list and its name.
func (s *Server) one(path string) map[string]any {
	i := strings.LastIndexByte(path, '/')
	for _, o := range s.Objects[path[:i]] {
		if at(o, "metadata", "name") == path[i+1:] {
			return o
		}
	}
	return nil
}

// write compresses a long body if the client takes that, as the API server
// does beyond 128 KiB.
func (s *Server) write(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	sent := body
	if len(body) > 128<<10 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, 4) // a level that there is
		z.Write(body)
		z.Close()
		sent = b.Bytes()
	}
	s.mu.Lock() // before the client can have it, and ask
	s.plain += int64(len(body))
	s.wire += int64(len(sent))
	s.mu.Unlock()
	w.Write(sent)
}

func partial(objects []map[string]any, next string) *metav1.PartialObjectMetadataList {
	l := &metav1.PartialObjectMetadataList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: next}}
	for _, o := range objects {
		var p metav1.PartialObjectMetadata
		if err := json.Unmarshal(mustJSON(map[string]any{"metadata": o["metadata"]}), &p); err != nil {
			panic(err)
		}
		l.Items = append(l.Items, p)
	}
	l.SetGroupVersionKind(schema.GroupVersionKind{Group: "meta.k8s.io", Version: "v1", Kind: "PartialObjectMetadataList"})
	return l
}

func metadataJSON(objects []map[string]any, next string) []byte {
	return mustJSON(partial(objects, next))
}

func metadataProtobuf(objects []map[string]any, next string) []byte {
	scheme := runtime.NewScheme()
	b, err := runtime.Encode(protobuf.NewSerializer(scheme, scheme), partial(objects, next))
	if err != nil {
		panic(err)
	}
	return b
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// Labels returns an object's labels.
func Labels(o map[string]any) map[string]string {
	switch l := at(o, "metadata", "labels").(type) {
	case map[string]string:
		return l
	case map[string]any: // decoded JSON
		m := map[string]string{}
		for k, v := range l {
			m[k], _ = v.(string)
		}
		return m
	}
	return nil
}

func at(o map[string]any, path ...string) any {
	var v any = o
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

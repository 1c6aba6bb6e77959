package readiness

import (
	"slices"
	"strings"
	"testing"
)

// FuzzCollector reads objects of any form: none is lost, and none is counted
// twice.
func FuzzCollector(f *testing.F) {
	f.Add(`{"metadata":{"uid":"1","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"a-1","controller":"true"}],"labels":{"pod-template-hash":"1"}},"status":{"phase":"Running","containerStatuses":[{"name":"c","imageID":"r@sha256:`+strings.Repeat("a", 64)+`"}]}}`, `{"containers":[{"name":"c","resources":{"requests":{"cpu":"1"}}}],"os":{"name":"linux"}}`, "Pod", "a-1-x")
	f.Add(`{"metadata":{"ownerReferences":{"x":[]}},"spec":{"replicas":{}},"status":[]}`, `{"containers":{}}`, "ReplicaSet", "a-1")
	f.Add(`{}`, `{"initContainers":[{"restartPolicy":"Always"},null,7]}`, "Job", "")
	f.Fuzz(func(t *testing.T, object, podSpec, kind, name string) {
		var c Collector
		for _, k := range []string{kind, "ReplicaSet", kind} {
			if err := c.Add(Found{APIVersion: "apps/v1", Kind: k, Name: name, Object: []byte(object), PodSpec: []byte(podSpec)}); err != nil {
				return
			}
		}
		ws := c.Workloads()
		if len(ws) == 0 || len(ws) > 3 {
			t.Errorf("%d workloads", len(ws))
		}
		for _, w := range ws {
			if w.Pods < 0 || w.Requests.Cores < 0 || w.Requests.Memory < 0 {
				t.Errorf("%+v", w)
			}
		}
	})
}

// FuzzNewer looks at tags of any form: what is suggested is a tag that there is,
// and no other flavour's.
func FuzzNewer(f *testing.F) {
	f.Add("1.2.3-alpine", "1.2.4-alpine 1.2.4 2.0.0-alpine")
	f.Add("v1", "v2 v999999999999999999999 latest")
	f.Fuzz(func(t *testing.T, tag, tags string) {
		all := strings.Fields(tags)
		out, isVersion := Newer(tag, all)
		if len(out) > 3 || len(out) > 0 && !isVersion {
			t.Errorf("%q", out)
		}
		have, _ := parseVersion(tag)
		for _, o := range out {
			v, ok := parseVersion(o)
			if !slices.Contains(all, o) || !ok || v.flavour != have.flavour || v.compare(have) <= 0 {
				t.Errorf("%q for %q", o, tag)
			}
		}
	})
}

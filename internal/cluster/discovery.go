package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

const (
	maxDiscovery = 8 << 20 // bytes of an answer that is read as one piece
	maxObjects   = 50_000  // of a kind
)

var errTooMany = errors.New("there are more of them than a cluster has")

// A discovery finds out once which kinds of objects a server knows. Without the
// right to list a kind, the API server answers 403 even if the kind does not
// exist, so this must be asked first.
type discovery struct {
	server *Server
	groups map[string][]string // versions of API groups, the preferred one first
	kinds  map[string][]resourceKind
}

type resourceKind struct{ Name, Kind string }

// objects lists the objects of a kind in the first version that serves it. The
// version that a group prefers may lack the kind: machine.openshift.io prefers
// v1, and MachineSet is served as v1beta1.
func (d *discovery) objects(ctx context.Context, k objectKind, visit func(json.RawMessage)) (served bool, err error) {
	path, err := d.path(ctx, k)
	if err != nil || path == "" {
		return false, err
	}
	return true, d.server.items(ctx, k.called, path, visit)
}

// path returns where a kind is listed, "" if no version serves it.
func (d *discovery) path(ctx context.Context, k objectKind) (string, error) {
	if d.groups == nil {
		if err := d.readGroups(ctx); err != nil {
			return "", err
		}
	}
	var failed error
	for _, version := range d.groups[k.group] {
		path := "apis/" + url.PathEscape(k.group) + "/" + url.PathEscape(version)
		kinds, known := d.kinds[path]
		if !known {
			var list struct{ Resources []resourceKind }
			if err := d.server.document(ctx, "reading the API group "+k.group, path, &list); err != nil {
				if !isStatus(err, http.StatusNotFound) {
					failed = err
				}
				continue
			}
			kinds = list.Resources
			d.kinds[path] = kinds
		}
		i := slices.IndexFunc(kinds, func(r resourceKind) bool { return r.Kind == k.kind && !strings.Contains(r.Name, "/") })
		if i >= 0 {
			return path + "/" + url.PathEscape(kinds[i].Name), nil
		}
	}
	return "", failed
}

func (d *discovery) readGroups(ctx context.Context) error {
	var found struct {
		Groups []struct {
			Name             string
			Versions         []struct{ Version string }
			PreferredVersion struct{ Version string }
		}
	}
	if err := d.server.document(ctx, "reading API groups", "apis", &found); err != nil {
		return err
	}
	d.groups, d.kinds = map[string][]string{}, map[string][]resourceKind{}
	for _, g := range found.Groups {
		versions := []string{g.PreferredVersion.Version}
		for _, v := range g.Versions {
			if !slices.Contains(versions, v.Version) {
				versions = append(versions, v.Version)
			}
		}
		d.groups[g.Name] = versions
	}
	return nil
}

// items lists objects, page by page, and calls visit for each.
func (s *Server) items(ctx context.Context, called, path string, visit func(json.RawMessage)) error {
	query := url.Values{"limit": {"500"}}
	for n := 0; ; {
		resp, err := s.get(ctx, "reading "+called, path, query, "application/json")
		if err != nil {
			return err
		}
		body := &ration{r: resp.Body, left: maxItem}
		var p page
		p, err = decodeObjects(json.NewDecoder(body), func(raw json.RawMessage) error {
			if n++; n > maxObjects {
				return errTooMany
			}
			body.item()
			visit(raw)
			return nil
		})
		resp.Body.Close()
		switch {
		case err != nil:
			return s.garbled(ctx, "reading "+called, err)
		case p.Continue == "":
			return nil
		case p.Continue == query.Get("continue"):
			return exit.Failf("reading %s of %s: the server returns the same page again and again", called, s.name)
		}
		query.Set("continue", p.Continue)
	}
}

// document reads a whole answer.
func (s *Server) document(ctx context.Context, doing, path string, into any) error {
	resp, err := s.get(ctx, doing, path, nil, "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDiscovery+1))
	if err == nil && len(body) > maxDiscovery {
		err = errTooLong
	}
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		return s.garbled(ctx, doing, err)
	}
	return nil
}

// objectPaths are the paths of the kinds of single objects.
var objectPaths = map[string]string{
	"Namespace":             "api/v1/namespaces",
	"PersistentVolume":      "api/v1/persistentvolumes",
	"PersistentVolumeClaim": "api/v1/namespaces/NAMESPACE/persistentvolumeclaims",
	"RuntimeClass":          "apis/node.k8s.io/v1/runtimeclasses",
	"StorageClass":          "apis/storage.k8s.io/v1/storageclasses",
}

// get reads one object.
func (d *discovery) get(ctx context.Context, o objectName) (json.RawMessage, error) {
	path := strings.Replace(objectPaths[o.kind], "NAMESPACE", url.PathEscape(o.namespace), 1) + "/" + url.PathEscape(o.name)
	var raw json.RawMessage
	err := d.server.document(ctx, "reading "+o.kind+" "+o.name, path, &raw)
	if isStatus(err, http.StatusNotFound) {
		return nil, nil
	}
	return raw, err
}

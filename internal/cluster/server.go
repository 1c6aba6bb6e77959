package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/polyarch/polyarch/internal/exit"
)

// A Server is a cluster's API server.
type Server struct {
	name string
	base *url.URL
	http *http.Client
}

func newServer(name string, c *rest.Config, agent string) (*Server, error) {
	c.UserAgent = agent
	base, _, err := rest.DefaultServerURL(c.Host, "", schema.GroupVersion{}, c.TLSClientConfig.CAFile != "" || len(c.TLSClientConfig.CAData) > 0)
	if err != nil {
		return nil, exit.Failf("reading kubeconfig: context %q: its server %q is no address: %w", name, c.Host, err)
	}
	h, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, exit.Failf("reading kubeconfig: context %q: %w", name, err)
	}
	return &Server{name, base, h}, nil
}

// Name gives the name of the kubeconfig's context.
func (s *Server) Name() string { return s.name }

// pageSize is that of kubectl.
const pageSize = 500

// Survey asks the server for its nodes.
func (s *Server) Survey(ctx context.Context, q Query) (*Survey, error) {
	t := newTally(q.Filter)
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	if q.Filter.Selector != nil && !q.Filter.Selector.Empty() {
		query.Set("labelSelector", q.Filter.Selector.String())
	}
	for {
		next, err := s.nodes(ctx, query, t.add)
		if err != nil {
			return nil, err
		}
		if next.Continue == "" {
			return t.survey(s.name), nil
		}
		query.Set("continue", next.Continue)
	}
}

func (s *Server) nodes(ctx context.Context, query url.Values, each func(*Node)) (page, error) {
	resp, err := s.get(ctx, "api/v1/nodes", query, "application/json")
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	p, err := decodeList(json.NewDecoder(resp.Body), each)
	if errors.Is(err, errNotNodes) {
		return p, exit.Failf("reading nodes of %s: %w", s.name, err).Hint("does %s lead to a Kubernetes API server?", s.base)
	}
	if err != nil {
		return p, s.explain(ctx, "reading nodes", err)
	}
	return p, nil
}

// get asks for a path; the caller closes the answer's body.
func (s *Server) get(ctx context.Context, path string, query url.Values, accept string) (*http.Response, error) {
	u := s.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, exit.Failf("reading nodes of %s: %w", s.name, err)
	}
	req.Header.Set("Accept", accept)
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, s.explain(ctx, "reading nodes", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, s.refused("reading nodes", resp)
	}
	return resp, nil
}

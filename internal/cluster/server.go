package cluster

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/polyarch/polyarch/internal/exit"
)

// A Server is a cluster's API server.
type Server struct {
	name  string
	base  *url.URL
	http  *http.Client
	pause func(context.Context, time.Duration) error // between tries
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
	// The credentials are added below the client that follows redirects, so
	// following one would hand them to another host. Lists have none.
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Server{name, base, h, pause}, nil
}

// Name gives the name of the kubeconfig's context.
func (s *Server) Name() string { return s.name }

// Survey asks the server as little as the query needs: the metadata of all
// nodes, and then, of each platform, whole nodes until one takes the workload.
// A small cluster is read whole after all, since that is one request too.
func (s *Server) Survey(ctx context.Context, q Query) (*Survey, error) {
	t, err := s.nodes(ctx, q)
	if err != nil {
		return nil, err
	}
	if q.NodePools {
		pools, err := s.pools(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range pools {
			t.addPool(p)
		}
	}
	return t.survey(s.name), nil
}

func (s *Server) nodes(ctx context.Context, q Query) (*tally, error) {
	if q.Counts {
		return s.everything(ctx, q.Filter)
	}
	c, err := s.census(ctx, &q.Filter)
	switch {
	case err != nil:
		return nil, err
	case c.total == 0:
		return newTally(q.Filter), nil
	case c.total <= smallCluster:
		return s.everything(ctx, q.Filter)
	}
	return s.sample(ctx, q.Filter, c)
}

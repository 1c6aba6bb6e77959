package cluster

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/retry"
)

// A Server is a cluster's API server.
type Server struct {
	name      string
	namespace string // of the kubeconfig's context
	base      *url.URL
	http      *http.Client
	renews    bool // refused credentials are requested anew
	secrets   *secrets
	plugin    *relay                                     // standard error of the program that gets credentials; may be nil
	pause     func(context.Context, time.Duration) error // between tries
}

func newServer(name, namespace string, c *rest.Config, a *Access) (*Server, error) {
	c.UserAgent = a.UserAgent
	base, _, err := rest.DefaultServerURL(c.Host, "", schema.GroupVersion{}, c.TLSClientConfig.CAFile != "" || len(c.TLSClientConfig.CAData) > 0)
	if err != nil {
		return nil, exit.Failf("reading kubeconfig: context %q: its server %q is not an address: %w", name, c.Host, err)
	}
	s := &Server{name: name, namespace: namespace, base: base, pause: retry.Wait, secrets: &secrets{}}
	s.renews = c.ExecProvider != nil || c.AuthProvider != nil || c.BearerTokenFile != ""
	c.Wrap(s.secrets.note)
	start := func() error { s.http, err = rest.HTTPClientFor(c); return err }
	if c.ExecProvider != nil {
		s.plugin, err = relayed(a.Say, start)
	} else {
		err = start()
	}
	if err != nil {
		return nil, exit.Failf("reading kubeconfig: context %q: %w", name, err)
	}
	// The credentials are added below the client that follows redirects, so
	// following one would hand them to another host. Lists have none.
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s, nil
}

// Name returns the name of the kubeconfig's context.
func (s *Server) Name() string { return s.name }

// Survey asks the server as little as the query needs: the metadata of all
// nodes, and then, of each platform, whole nodes until one takes the workload.
// A small cluster is read whole after all, since that is one request too.
func (s *Server) Survey(ctx context.Context, q Query) (*Survey, error) {
	defer s.plugin.flush()
	d := &discovery{server: s}
	warnings, err := q.Filter.admit(ctx, d, s.namespace)
	if err != nil {
		return nil, err
	}
	t, err := s.nodes(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		t.warn("%s", w)
	}
	if q.NodePools {
		if err := s.pools(ctx, t, d); err != nil {
			return nil, err
		}
	}
	survey := t.survey(s.name)
	s.secrets.scrubSurvey(survey)
	return survey, nil
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

// pools counts pools of nodes too. A node tells which cluster this is, and
// whose: if need be, one that the selector does not select.
func (s *Server) pools(ctx context.Context, t *tally, d *discovery) error {
	if t.clusters == nil {
		_, err := s.list(ctx, listing{limit: firstProbe}, sink{start: func() {}, each: t.origin, enough: func() bool { return true }})
		if err != nil {
			return err
		}
	}
	return t.addPools(ctx, d)
}

// admit makes the workload what it is in one cluster.
func (f *Filter) admit(ctx context.Context, from getter, namespace string) (warnings []string, err error) {
	if f.Workload == nil {
		return nil, nil
	}
	f.Workload, warnings, err = f.Workload.admit(ctx, from, namespace)
	if err != nil {
		return nil, err
	}
	f.Tolerations = slices.Concat(f.Tolerations, f.Workload.Spec.Tolerations)
	return warnings, nil
}

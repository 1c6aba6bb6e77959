package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/text"
)

// refused gives the error for an answer that is not 200.
func (s *Server) refused(doing string, resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var status struct{ Message string }
	said := resp.Status
	if json.Unmarshal(body, &status) == nil && status.Message != "" {
		said += ": " + text.Line(status.Message)
	}
	switch c := resp.StatusCode; {
	case c == http.StatusUnauthorized:
		return exit.Deniedf("%s of %s: %s", doing, s.name, said).
			Hint("the credentials are missing, wrong or expired; log in again, and try: kubectl --context %s get nodes", s.name)
	case c == http.StatusForbidden:
		return exit.Deniedf("%s of %s: %s", doing, s.name, said).
			Hint("it needs the verb list on nodes, which are cluster-scoped: a ClusterRole and a ClusterRoleBinding")
	case c == http.StatusTooManyRequests || c >= 500:
		return exit.Unreachablef("%s of %s: %s", doing, s.name, said).Hint("the API server, or something before it, is overloaded or down; try again")
	default:
		return exit.Failf("%s of %s: %s answers %s", doing, s.name, s.base, said).Hint("does %s lead to a Kubernetes API server?", s.base)
	}
}

// explain gives the error for a request that got no answer, or half of one.
func (s *Server) explain(ctx context.Context, doing string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	said := text.Line(err.Error())
	var n net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return exit.Failf("%s of %s: %w", doing, s.name, ctx.Err())
	case strings.HasPrefix(said, "getting credentials: "): // client-go's exec plugins
		return exit.Deniedf("%s of %s: %s", doing, s.name, said).
			Hint("the kubeconfig gets credentials from a program; it must be installed and logged in where this runs")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &n) && n.Timeout():
		return exit.Unreachablef("%s of %s: %s did not answer in time", doing, s.name, s.base.Host).
			Hint("is the cluster reachable from here (VPN, proxy, firewall)? --timeout gives it longer")
	case strings.Contains(said, "x509: "), strings.Contains(said, "tls: "):
		return exit.Unreachablef("%s of %s: %s", doing, s.name, said).
			Hint("the kubeconfig's certificate-authority does not fit the server that answers at %s", s.base.Host)
	default:
		return exit.Unreachablef("%s of %s: %s", doing, s.name, said).
			Hint("is the cluster running, and reachable from here (VPN, proxy, firewall)?")
	}
}

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/text"
)

// A statusError is an answer that is not 200.
type statusError struct {
	code int
	said string
}

func (e *statusError) Error() string { return e.said }

func isStatus(err error, code int) bool {
	var e *statusError
	return errors.As(err, &e) && e.code == code
}

// ClusterRole is all that a survey needs, as YAML on one line.
const ClusterRole = `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: detect-arch}, rules: [{apiGroups: [""], resources: [nodes], verbs: [list]}]}`

// PoolsClusterRole is what a survey of node pools needs.
const PoolsClusterRole = `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: detect-arch}, rules: [` +
	`{apiGroups: [""], resources: [nodes], verbs: [list]}, ` +
	`{apiGroups: [karpenter.sh], resources: [nodepools], verbs: [list]}, ` +
	`{apiGroups: [cluster.x-k8s.io], resources: [machinedeployments, machinesets, machinepools], verbs: [list]}, ` +
	`{apiGroups: [machine.openshift.io], resources: [machinesets], verbs: [list]}]}`

// refused gives the error for an answer that is not 200.
func (s *Server) refused(doing string, resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var status struct{ Message string }
	said := resp.Status
	if json.Unmarshal(body, &status) == nil && status.Message != "" {
		said += ": " + text.Line(status.Message)
	}
	e := &statusError{resp.StatusCode, said}
	switch c := resp.StatusCode; {
	case c == http.StatusUnauthorized:
		return exit.Deniedf("%s of %s: %w", doing, s.name, e).
			Hint("the credentials are missing, wrong or expired: log in again, until kubectl get nodes works with this context")
	case c == http.StatusForbidden:
		role := ClusterRole
		if doing != "reading nodes" {
			role = PoolsClusterRole
		}
		return exit.Deniedf("%s of %s: %w", doing, s.name, e).
			Hint("an administrator allows it with this role: %s", role).
			Hint("and binds it: kubectl create clusterrolebinding detect-arch --clusterrole=detect-arch %s", subject(status.Message))
	case c == http.StatusTooManyRequests || c >= 500:
		return exit.Unreachablef("%s of %s: %w", doing, s.name, e).Hint("the API server, or something before it, is overloaded or down: try again later")
	default:
		return exit.Failf("%s of %s: %w", doing, s.name, e).Hint("does %s lead to a Kubernetes API server?", s.base)
	}
}

var forbidden = regexp.MustCompile(`^\S+ is forbidden: User "([^"]+)" cannot`)

// subject gives kubectl's flag for the user that a 403 names.
func subject(message string) string {
	m := forbidden.FindStringSubmatch(message)
	if m == nil {
		return "--user=USER"
	}
	if account, ok := strings.CutPrefix(m[1], "system:serviceaccount:"); ok {
		return "--serviceaccount=" + account
	}
	return "--user='" + text.Line(m[1]) + "'"
}

// explain gives the error for a request that got no answer, or half of one.
func (s *Server) explain(ctx context.Context, doing string, err error) error {
	var known *exit.Error
	if errors.As(err, &known) {
		return err
	}
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
			Hint("the kubeconfig gets credentials from a program, which must be installed and logged in where this runs")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &n) && n.Timeout():
		return exit.Unreachablef("%s of %s: %s did not answer in time", doing, s.name, s.base.Host).
			Hint("is the cluster reachable from here (VPN, proxy, firewall)? --timeout gives it longer")
	case strings.Contains(said, "remote error: tls: "): // the server's word on a client certificate
		return exit.Deniedf("%s of %s: %s", doing, s.name, said).
			Hint("the kubeconfig's client certificate is missing, wrong or expired: log in again, until kubectl get nodes works with this context")
	case strings.Contains(said, "x509: "), strings.Contains(said, "tls: "):
		return exit.Unreachablef("%s of %s: %s", doing, s.name, said).
			Hint("the kubeconfig's certificate-authority does not fit the server that answers at %s", s.base.Host)
	default:
		return exit.Unreachablef("%s of %s: %s", doing, s.name, said).
			Hint("is the cluster running, and reachable from here (VPN, proxy, firewall)?")
	}
}

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

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

// PoolsClusterRole is what a survey of node pools needs. Which objects say more
// about Cluster API's pools depends on the cloud.
const PoolsClusterRole = `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: detect-arch}, rules: [` +
	`{nonResourceURLs: [/apis, /apis/*], verbs: [get]}, ` +
	`{apiGroups: [""], resources: [nodes], verbs: [list]}, ` +
	`{apiGroups: [karpenter.sh], resources: [nodepools, provisioners], verbs: [list]}, ` +
	`{apiGroups: [karpenter.k8s.aws, karpenter.azure.com, karpenter.k8s.gcp, eks.amazonaws.com, infrastructure.cluster.x-k8s.io], resources: ["*"], verbs: [list]}, ` +
	`{apiGroups: [cluster.x-k8s.io], resources: [machinedeployments, machinesets, machinepools], verbs: [list]}, ` +
	`{apiGroups: [machine.openshift.io], resources: [machinesets], verbs: [list]}, ` +
	`{apiGroups: [cloud.google.com], resources: [computeclasses], verbs: [list]}]}`

// WorkloadClusterRole is what the survey for one workload needs.
const WorkloadClusterRole = `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: detect-arch}, rules: [` +
	`{apiGroups: [""], resources: [nodes], verbs: [list]}, ` +
	`{apiGroups: [""], resources: [namespaces, persistentvolumes, persistentvolumeclaims], verbs: [get]}, ` +
	`{apiGroups: [node.k8s.io], resources: [runtimeclasses], verbs: [get]}, ` +
	`{apiGroups: [storage.k8s.io], resources: [storageclasses], verbs: [get]}]}`

// roleFor returns the role that allows what was refused.
func roleFor(doing string) string {
	if doing == "reading nodes" {
		return ClusterRole
	}
	for kind := range objectPaths {
		if strings.HasPrefix(doing, "reading "+kind+" ") {
			return WorkloadClusterRole
		}
	}
	return PoolsClusterRole
}

// refused returns the error for an answer that is not 200. Asked is how long
// the server asks to wait, if that is longer than the run may take.
func (s *Server) refused(doing string, resp *http.Response, asked time.Duration) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var status struct{ Message string }
	said := resp.Status
	if json.Unmarshal(body, &status) == nil && status.Message != "" {
		status.Message = s.secrets.scrub(status.Message)
		said += ": " + status.Message
	}
	e := &statusError{resp.StatusCode, brief(s.secrets.scrub(said))}
	switch c := resp.StatusCode; {
	case c == http.StatusUnauthorized:
		return exit.Deniedf("%s of %s: %w", doing, s.name, e).
			Hint("the credentials are missing, wrong or expired: log in again, until kubectl get nodes works with this context")
	case c == http.StatusForbidden:
		return exit.Deniedf("%s of %s: %w", doing, s.name, e).
			Hint("an administrator allows it with this role: %s", roleFor(doing)).
			Hint("and binds it: kubectl create clusterrolebinding detect-arch --clusterrole=detect-arch %s", subject(status.Message))
	case c >= 300 && c < 400:
		return exit.Deniedf("%s of %s: %w, to %s", doing, s.name, e, elsewhere(resp)).Hint(loginHint, s.base)
	case asked > 0:
		return exit.Unreachablef("%s of %s: %w; it asks to wait %s (Retry-After), which is longer than --timeout leaves", doing, s.name, e, asked.Round(time.Second)).
			Hint("try again later, or give it longer with --timeout")
	case c == http.StatusTooManyRequests || c >= 500:
		return exit.Unreachablef("%s of %s: %w", doing, s.name, e).Hint("the API server, or something before it, is overloaded or down: try again later")
	default:
		return exit.Failf("%s of %s: %w", doing, s.name, e).Hint("does %s lead to a Kubernetes API server?", s.base)
	}
}

const loginHint = "something before the API server wants a login: log in again, until kubectl get nodes works with this context; does %s lead to the API server?"

// elsewhere returns the host of a redirect, without its query, which may hold
// secrets.
func elsewhere(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil {
		return "nowhere"
	}
	return brief(to.Host + to.EscapedPath())
}

// brief makes a line of a text that a server sent, and cuts it.
func brief(s string) string {
	s = text.Line(s)
	if r := []rune(s); len(r) > maxSaid {
		return string(r[:maxSaid]) + "…"
	}
	return s
}

// maxSaid is how many characters of a server's words are shown.
const maxSaid = 1000

// isPage reports whether an answer is a page for people.
func isPage(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "text/html" || kind == "application/xhtml+xml"
}

// loginPage returns the error for a page where objects were asked for.
func (s *Server) loginPage(doing string) error {
	return exit.Deniedf("%s of %s: the answer is an HTML page", doing, s.name).Hint(loginHint, s.base)
}

// garbled returns the error for an answer that cannot be read.
func (s *Server) garbled(ctx context.Context, doing string, err error) error {
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	if ctx.Err() == nil && (errors.Is(err, errNotNodes) || errors.Is(err, errNoList) || errors.Is(err, errTooLong) || errors.Is(err, errTooMany) || errors.As(err, &syntax) || errors.As(err, &shape)) {
		return exit.Failf("%s of %s: %s", doing, s.name, brief(s.secrets.scrub(err.Error()))).Hint("does %s lead to a Kubernetes API server?", s.base)
	}
	return s.explain(ctx, doing, err)
}

// harmless are names that have no special meaning to a shell.
var harmless = regexp.MustCompile(`^[A-Za-z0-9_.:@/+-]{1,253}$`)

var forbidden = regexp.MustCompile(`^\S+ is forbidden: User "([^"]+)" cannot`)

// subject returns kubectl's flag for the user that a 403 names.
func subject(message string) string {
	m := forbidden.FindStringSubmatch(message)
	if m == nil {
		return "--user=USER"
	}
	account, ok := strings.CutPrefix(m[1], "system:serviceaccount:")
	switch {
	case ok && harmless.MatchString(account):
		return "--serviceaccount=" + account
	case harmless.MatchString(m[1]):
		return "--user=" + m[1]
	}
	return "--user=USER" // what a server says is not put into a command line
}

// explain returns the error for a request that got no answer, or half of one.
func (s *Server) explain(ctx context.Context, doing string, err error) error {
	var known *exit.Error
	if errors.As(err, &known) {
		return err
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	said := brief(s.secrets.scrub(err.Error()))
	var n net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return exit.Failf("%s of %s: %w", doing, s.name, exit.Why(ctx))
	case s.noCredentials(err, said):
		e := exit.Deniedf("%s of %s: getting credentials: %s", doing, s.name, strings.TrimPrefix(said, "getting credentials: "))
		if last := s.plugin.flush(); last != "" {
			e.Hint("the program said: %s", brief(s.secrets.scrub(last)))
		}
		return e.
			Hint("the kubeconfig gets credentials from a program or an identity provider: log in again where this runs, until kubectl get nodes works with this context")
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

// noCredentials reports whether there was nothing to log in with: client-go's
// exec plugins say so, and its OIDC plugin, whose errors have no type.
func (s *Server) noCredentials(err error, said string) bool {
	if strings.HasPrefix(said, "getting credentials: ") {
		return true
	}
	for _, of := range []string{"No valid id-token", "failed to refresh token", "oidc: ", "ID Token is not", "token response did not contain", "parsing claims", "could not persist new tokens"} {
		if strings.HasPrefix(said, of) {
			return true
		}
	}
	var u *url.Error // within the request's own: another server was asked before
	if !errors.As(err, &u) {
		return false
	}
	to, err := url.Parse(u.URL)
	return err == nil && to.Host != s.base.Host
}

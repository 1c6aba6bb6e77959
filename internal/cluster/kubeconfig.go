package cluster

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "k8s.io/client-go/plugin/pkg/client/auth/oidc" // kubeconfigs may name it, as kubectl allows
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/text"
)

// ServiceAccount is the folder where a pod finds its credentials.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
const ServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// Access says how to find the clusters.
type Access struct {
	Kubeconfig string   // a path; empty for $KUBECONFIG, then ~/.kube/config, then the pod's service account
	Contexts   []string // none for the current one
	Getenv     func(string) string
	UserAgent  string
	Say        func(line string) // for the messages of programs that get credentials; nil: standard error

	ServiceAccount string // the folder; empty for the one that every pod has
}

// Open returns the clusters in the order of the contexts, without a connection
// to any of them. A context that does not exist is an error of code Usage; no
// cluster at all is one of code Unreachable.
func (a Access) Open() ([]Source, error) {
	// client-go writes to standard error when credentials cannot be renewed; the
	// request that is refused says so too.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	rules, err := a.files()
	if err != nil {
		return nil, err
	}
	if rules == nil {
		c, err := a.inCluster()
		if err != nil {
			return nil, err
		}
		s, err := newServer("in-cluster", a.ownNamespace(), c, &a)
		return []Source{s}, err
	}
	merged, err := rules.Load()
	if err != nil {
		return nil, exit.Failf("reading kubeconfig %s: %s", strings.Join(rules.Precedence, ", "), text.Line(cause(err).Error())).
			Hint("kubectl config view shows what is wrong with it; --kubeconfig names another file")
	}
	contexts := a.Contexts
	if len(contexts) == 0 {
		contexts = []string{merged.CurrentContext}
	}
	var sources []Source
	seen := map[string]bool{}
	for _, name := range several(contexts, merged) {
		if seen[name] {
			continue
		}
		seen[name] = true
		s, err := a.context(rules, merged, name)
		if err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	return sources, nil
}

// several returns the contexts, each of which may be a list separated by commas
// or blanks. Docker Desktop, Rancher and GitLab make names with such characters,
// so an existing name takes precedence.
func several(contexts []string, merged *api.Config) []string {
	var out []string
	for _, c := range contexts {
		names := strings.FieldsFunc(c, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
		unknown := func(n string) bool { return merged.Contexts[n] == nil }
		if merged.Contexts[c] == nil && len(names) > 1 && !slices.ContainsFunc(names, unknown) {
			out = append(out, names...)
		} else {
			out = append(out, c)
		}
	}
	return out
}

// Known returns the names of the kubeconfig's contexts, sorted; none if no
// kubeconfig can be read.
func (a Access) Known() []string {
	rules, err := a.files()
	if err != nil || rules == nil {
		return nil
	}
	merged, err := rules.Load()
	if err != nil {
		return nil
	}
	return contextNames(merged)
}

func contextNames(c *api.Config) []string { return slices.Sorted(maps.Keys(c.Contexts)) }

func (a Access) context(rules *clientcmd.ClientConfigLoadingRules, merged *api.Config, name string) (Source, error) {
	names := contextNames(merged)
	there := "it has no contexts"
	if len(names) > 0 {
		there = "there are " + strings.Join(names, ", ")
	}
	file := strings.Join(rules.Precedence, ", ")
	if name == "" {
		return nil, exit.Usagef("reading kubeconfig %s: it has no current context", file).Hint("choose one with --context; %s", there)
	}
	if merged.Contexts[name] == nil {
		e := exit.Usagef("reading kubeconfig %s: it has no context %q; %s", file, name, there)
		if near := text.Nearest(name, names); near != "" {
			e.Hint("did you mean --context %s?", near)
		}
		return nil, e
	}
	config := clientcmd.NewNonInteractiveClientConfig(*merged, name, nil, rules)
	c, err := config.ClientConfig()
	if err != nil {
		return nil, exit.Failf("reading kubeconfig %s: context %q: %s", file, name, text.Line(cause(err).Error())).
			Hint("kubectl --context %s version shows whether kubectl can use it", name)
	}
	namespace, _, err := config.Namespace()
	if err != nil || namespace == "" {
		namespace = "default"
	}
	return newServer(name, namespace, c, &a)
}

// files returns the kubeconfig files, or nil if there is none and this may be a
// pod. A file that is named and missing is an error; kubectl passes over it,
// and a pipeline would then ask the wrong cluster.
func (a Access) files() (*clientcmd.ClientConfigLoadingRules, error) {
	paths, from := []string{a.Kubeconfig}, "--kubeconfig"
	if a.Kubeconfig == "" {
		from = "KUBECONFIG"
		paths = slices.DeleteFunc(filepath.SplitList(a.Getenv("KUBECONFIG")), func(p string) bool { return p == "" })
	}
	for i, p := range paths {
		p = inFolder(p)
		paths[i] = p
		f, err := os.Open(p)
		if err != nil {
			return nil, exit.Failf("reading kubeconfig %s: %w", p, cause(err)).Hint("%s names this file", from)
		}
		f.Close()
	}
	if len(paths) == 0 {
		home := a.Getenv("HOME")
		if home == "" {
			home = a.Getenv("USERPROFILE")
		}
		p := filepath.Join(home, ".kube", "config")
		f, err := os.Open(p)
		if errors.Is(err, fs.ErrNotExist) && len(a.Contexts) == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, exit.Failf("reading kubeconfig %s: %w", p, cause(err)).Hint("--kubeconfig names another file")
		}
		f.Close()
		paths = []string{p}
	}
	return &clientcmd.ClientConfigLoadingRules{Precedence: paths}, nil
}

// inFolder returns the kubeconfig in the directory p, which is how a pipeline mounts
// a Secret, or p itself where it is not one.
func inFolder(p string) string {
	if i, err := os.Stat(p); err != nil || !i.IsDir() {
		return p
	}
	return filepath.Join(p, "kubeconfig")
}

// ownNamespace returns the pod's namespace.
func (a Access) ownNamespace() string {
	b, err := os.ReadFile(filepath.Join(cmp.Or(a.ServiceAccount, ServiceAccount), "namespace"))
	if err != nil || len(b) == 0 || len(b) > 63 {
		return "default"
	}
	return strings.TrimSpace(string(b))
}

// inCluster returns the configuration of a pod's service account.
func (a Access) inCluster() (*rest.Config, error) {
	host, port := a.Getenv("KUBERNETES_SERVICE_HOST"), a.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, exit.Unreachablef("looking for a cluster: there is no ~/.kube/config, KUBECONFIG is not set, and this is no pod").
			Hint("name a kubeconfig with --kubeconfig, or nodes with --from-file")
	}
	folder := cmp.Or(a.ServiceAccount, ServiceAccount)
	token := filepath.Join(folder, "token")
	if _, err := os.Stat(token); err != nil {
		return nil, exit.Deniedf("reading the pod's service account: %s: %w", token, cause(err)).
			Hint("the pod has automountServiceAccountToken: false; let it mount its token, or name a kubeconfig with --kubeconfig")
	}
	return &rest.Config{
		Host:            "https://" + net.JoinHostPort(host, port),
		BearerTokenFile: token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(folder, "ca.crt")},
	}, nil
}

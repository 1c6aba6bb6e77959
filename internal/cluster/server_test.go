package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kubeconfig writes one with a context "test" for the server.
func kubeconfig(t *testing.T, url string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: test,
clusters: [{name: c, cluster: {server: %q}}], users: [{name: u, user: {}}],
contexts: [{name: test, context: {cluster: c, user: u}}]}`, url)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, url string) Source {
	t.Helper()
	sources, err := Access{Kubeconfig: kubeconfig(t, url), Getenv: func(string) string { return "" }, UserAgent: "test"}.Open()
	if err != nil {
		t.Fatal(err)
	}
	return sources[0]
}

func labelled(name, os, arch string) map[string]any {
	return map[string]any{"metadata": map[string]any{"name": name, "labels": map[string]string{osLabel: os, archLabel: arch}}}
}

func TestServerFollowsContinue(t *testing.T) {
	pages := [][]any{{labelled("a", "linux", "amd64"), labelled("b", "linux", "arm64")}, {labelled("c", "linux", "amd64")}}
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		i := slices.Index([]string{"", "next"}, r.URL.Query().Get("continue"))
		json.NewEncoder(w).Encode(map[string]any{
			"kind": "NodeList", "metadata": map[string]string{"continue": []string{"next", ""}[i]}, "items": pages[i],
		})
	}))
	defer srv.Close()
	got, err := open(t, srv.URL).Survey(context.Background(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"/api/v1/nodes?limit=500", "/api/v1/nodes?continue=next&limit=500"}, asked); d != "" {
		t.Error(d)
	}
	if got.Platforms().String() != "linux/amd64,linux/arm64" || got.Offers[0].Nodes != 2 || got.Cluster != "test" {
		t.Errorf("%+v", got)
	}
}

package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polyarch/polyarch/internal/cluster/clustertest"
	"github.com/polyarch/polyarch/internal/command"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"detect-arch": func() { os.Exit(command.Main(program())) },
	})
}

func TestScripts(t *testing.T) {
	sample, err := os.ReadFile("../../samples/hello/nodes.json")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			return os.WriteFile(e.WorkDir+"/sample.json", sample, 0o644)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"clusters": func(ts *testscript.TestScript, _ bool, args []string) { clusters(t, ts, args) },
			"code":     code,
		},
	})
}

// clusters starts API servers, "clusters NAME=FILE…", and sets KUBECONFIG to
// contexts of those names. FILE holds nodes, as kubectl prints them, or is
// one of 401, 403, off (nothing listens) and mute (no answer).
func clusters(t *testing.T, ts *testscript.TestScript, args []string) {
	var contexts []string
	for _, a := range args {
		name, what, _ := strings.Cut(a, "=")
		s := clustertest.Start(t)
		switch what {
		case "off":
			l, err := net.Listen("tcp", "127.0.0.1:0")
			ts.Check(err)
			s.URL = "http://" + l.Addr().String()
			l.Close()
		case "mute":
			s.Before = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
		case "401":
			s.Before = func(w http.ResponseWriter, _ *http.Request) bool {
				clustertest.Refuse(w, 401, "Unauthorized", "Unauthorized")
				return true
			}
		case "403":
			s.Before = func(w http.ResponseWriter, _ *http.Request) bool {
				clustertest.Refuse(w, 403, "Forbidden", `nodes is forbidden: User "system:serviceaccount:ci:builder" cannot list resource "nodes" in API group "" at the cluster scope`)
				return true
			}
		default:
			var list struct {
				Items []map[string]any `json:"items"`
			}
			ts.Check(json.Unmarshal([]byte(ts.ReadFile(what)), &list))
			s.Objects["/api/v1/nodes"] = list.Items
		}
		contexts = append(contexts, name+"="+s.URL)
	}
	ts.Setenv("KUBECONFIG", clustertest.Kubeconfig(t, contexts...))
}

// code runs a program that has to end with a certain code: "code 3 detect-arch …".
func code(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("code %s, want %s", got, args[0])
	}
}

package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

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
	})
}

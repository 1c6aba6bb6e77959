package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// flow runs the main workflow from the repository's root and writes its results
// to the folder out.
func flow(ctx context.Context, listen, out string) error {
	const sample = "samples/hello"
	if _, err := os.Stat(sample); err != nil {
		return fmt.Errorf("run it from the repository's root: %w", err)
	}
	r, err := startRegistry(listen)
	if err != nil {
		return err
	}
	defer r.stop()
	s := &shell{ctx: ctx}
	if err := os.RemoveAll(filepath.Join(out, "k8s")); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	artifacts, manifests, taints := filepath.Join(out, "artifacts.json"), filepath.Join(out, "k8s"), filepath.Join(out, "taints")

	s.step("Which platforms does the cluster run? (a recorded one: two amd64 nodes, a cordoned one, two arm64 nodes, tainted as GKE taints them)")
	platforms := s.capture("bin/detect-arch", "--from-file", sample+"/nodes.json", "--result", "taints="+taints)

	s.step("Build the image for each of them, push, check what is inside, stitch (the registry is in this process)")
	s.run("bin/stitch-index", "--image", r.address+"/hello", "--tag", "v1", "--name", "hello", "--platform", platforms, "--context", sample,
		"--artifacts-file", artifacts, "--", "../../bin/demo", "build")

	s.step("The index, as any client sees it")
	s.do("curl http://"+r.address+"/v2/hello/manifests/v1", func() error {
		b, err := get(ctx, "http://"+r.address+"/v2/hello/manifests/v1")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(out, "index.json"), b, 0o644)
	})
	s.do("cat "+filepath.Join(out, "index.json"), func() error { return show(filepath.Join(out, "index.json")) })

	s.step("Pin every workload to nodes that can run it")
	s.do("cp -r "+sample+"/k8s "+manifests, func() error { return os.CopyFS(manifests, os.DirFS(sample+"/k8s")) })
	tolerate, err := os.ReadFile(taints)
	if err != nil && s.err == nil {
		return err
	}
	inject := []string{"bin/inject-affinity", "--artifacts", artifacts, "--taints", string(tolerate), manifests}
	s.run(append(inject, "-w")...)
	s.step("What changed: added lines, and the images")
	s.diff(sample+"/k8s", manifests)
	s.step("A second run changes nothing")
	s.run(append(inject, "--check")...)

	if runtime.GOOS == "linux" && strings.Contains(","+platforms+",", ",linux/"+runtime.GOARCH+",") {
		s.step("The program out of the image for this machine")
		s.do("run the image's /hello", func() error { return runImage(ctx, r.address+"/hello:v1") })
	}
	if s.err != nil {
		return s.err
	}
	fmt.Printf("\nDone. %s holds the manifests, %s what was built, %s the index.\n", manifests, artifacts, filepath.Join(out, "index.json"))
	fmt.Println("To go on by hand: `bin/demo registry` serves a registry, and the command lines above work against it.")
	return nil
}

// A shell runs command lines after printing them; after the first failure it
// does nothing more.
type shell struct {
	ctx context.Context
	n   int
	err error
}

func (s *shell) step(title string) {
	if s.err == nil {
		s.n++
		fmt.Printf("\n%d. %s\n\n", s.n, title)
	}
}

func (s *shell) do(line string, f func() error) {
	if s.err != nil {
		return
	}
	fmt.Println("   $ " + line)
	if err := f(); err != nil {
		s.err = fmt.Errorf("%s: %w", line, err)
	}
}

func (s *shell) run(argv ...string) { s.exec(os.Stdout, argv) }

// capture runs a command and returns what it printed, without the line break.
func (s *shell) capture(argv ...string) string {
	var b bytes.Buffer
	s.exec(io.MultiWriter(os.Stdout, &b), argv)
	return strings.TrimSpace(b.String())
}

func (s *shell) exec(stdout io.Writer, argv []string) {
	s.do(quote(argv), func() error {
		cmd := exec.CommandContext(s.ctx, argv[0], argv[1:]...)
		cmd.Stdout, cmd.Stderr = stdout, os.Stderr
		return cmd.Run()
	})
}

// diff shows a diff; git's exit code 1 means there is one, which is expected.
func (s *shell) diff(a, b string) {
	argv := []string{"git", "--no-pager", "diff", "--no-index", a, b}
	s.do(quote(argv), func() error {
		cmd := exec.CommandContext(s.ctx, argv[0], argv[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err := cmd.Run()
		var code *exec.ExitError
		if errors.As(err, &code) && code.ExitCode() == 1 {
			return nil
		}
		if err == nil {
			return errors.New("the manifests did not change")
		}
		return err
	})
}

func quote(argv []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		if w == "" || strings.ContainsAny(w, " \t\n'\"$&|;<>*?()[]{}~#") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words[i] = w
	}
	return strings.Join(words, " ")
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	return io.ReadAll(res.Body)
}

func show(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, b, "   ", "  "); err != nil {
		return err
	}
	fmt.Println("   " + pretty.String())
	return nil
}

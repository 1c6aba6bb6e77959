package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
)

// built is the source of what kustomize builds from a folder.
func built(ctx context.Context, env *command.Env, dir string) (source, error) {
	argv := []string{"kustomize", "build", "--", dir}
	if _, err := exec.LookPath("kustomize"); err != nil {
		argv = []string{"kubectl", "kustomize", "--", dir}
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return source{}, exit.Failf("flag --kustomize: neither kustomize nor kubectl is on PATH").
			Hint("install one of them, or hand over what another machine built: kustomize build %s | inject-affinity", shellQuoted(dir))
	}
	name := strings.Join([]string{argv[0], argv[1], dir}, " ")
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Env = env.Environ()
	cmd.WaitDelay = time.Second
	k := &kustomized{cmd: cmd, name: name}
	cmd.Stderr = &k.errs
	if k.out, err = cmd.StdoutPipe(); err != nil {
		return source{}, fmt.Errorf("running %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return source{}, exit.Failf("running %s: %w", name, cause(err))
	}
	return source{name: name, in: k}, nil
}

// kustomized reads what a program prints; that it failed is an error where its
// output ends.
type kustomized struct {
	cmd  *exec.Cmd
	name string
	out  io.ReadCloser
	errs tail
	done bool
}

func (k *kustomized) Read(p []byte) (int, error) {
	n, err := k.out.Read(p)
	if err == nil || k.done {
		return n, err
	}
	k.done = true
	if failed := k.cmd.Wait(); failed != nil {
		said := strings.TrimSpace(string(k.errs.text))
		if said == "" {
			said = failed.Error()
		}
		return n, exit.Failf("running %s: %s", k.name, said)
	}
	if errors.Is(err, io.EOF) {
		return n, io.EOF
	}
	return n, err
}

func (k *kustomized) Close() error {
	if !k.done {
		k.done = true
		k.cmd.Cancel()
		k.cmd.Wait()
	}
	return nil
}

// A tail keeps the end of what is written to it.
type tail struct{ text []byte }

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if cut := len(t.text) - tailBytes; cut > 0 {
		t.text = bytes.Clone(t.text[cut:])
	}
	return len(p), nil
}

package tool

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// What the clusters of package cluster are made of.
var (
	// Hyperkube is etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubelet.
	Hyperkube = Program{Name: "hyperkube", Module: "hyperkube", Package: "./hyperkube", Version: kubernetes, LDFlags: kubernetesVersion}
	// Kubectl is the release of kubectl that belongs to Hyperkube.
	Kubectl = Program{Name: "kubectl", Module: "hyperkube", Package: "k8s.io/kubernetes/cmd/kubectl", Version: kubernetes, LDFlags: kubernetesVersion}
	// CRIRelax lets a kubelet use a containerd that runs under qemu-user.
	CRIRelax = Program{Name: "crirelax", Module: "hyperkube", Package: "./crirelax"}
)

const (
	kubernetes = "k8s.io/kubernetes"
	// Without these a server built from the module calls itself v0.0.0-master+$Format.
	kubernetesVersion = "-X k8s.io/component-base/version.gitVersion={version}" +
		" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
)

// Tekton is one of the programs of Tekton Pipelines: "controller", "webhook", "entrypoint", "nop",
// "workingdirinit" or "sidecarlogresults".
func Tekton(command string) Program {
	const pipeline = "github.com/tektoncd/pipeline"
	return Program{Name: "tekton-" + command, Module: "hyperkube", Package: pipeline + "/cmd/" + command, Version: pipeline}
}

// TektonResolvers are Tekton's remote resolvers, of the version of Tekton: a module
// of their own, since they need more than all the rest.
var TektonResolvers = Program{Name: "tekton-resolvers", Module: "resolvers", Package: "github.com/tektoncd/pipeline/cmd/resolvers", Version: "github.com/tektoncd/pipeline"}

// Pause is the first process of every pod, for the architecture given.
func Pause(arch string) Program {
	return Program{Name: "pause", Module: "pause", Package: ".", Arch: arch}
}

// TektonConfig returns the folder of Tekton Pipelines' own configuration, which is in its module, and
// its version.
func TektonConfig(ctx context.Context) (dir, version string, err error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}} {{.Version}}", "github.com/tektoncd/pipeline")
	cmd.Dir = filepath.Join(ToolsDir(), "hyperkube")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("finding Tekton's module: %w", err)
	}
	dir, version, _ = strings.Cut(strings.TrimSpace(string(out)), " ")
	return filepath.Join(dir, "config"), version, nil
}

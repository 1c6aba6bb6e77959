package tool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A CRDModule is a Go module that holds definitions of custom resources as its
// project publishes them. Its sum is checked; nothing of it is compiled.
type CRDModule struct {
	Path, Version, Sum string
	Files              []string
}

// CRDs are those of the projects that make nodes.
var CRDs = []CRDModule{
	{
		"sigs.k8s.io/karpenter", "v1.12.0", "h1:SffONGtSqVfTiEBM55OZb5ZVEsBPaEcLuRLL8v98sPo=",
		[]string{"pkg/apis/crds/karpenter.sh_nodepools.yaml"},
	},
	{
		"github.com/aws/karpenter-provider-aws", "v1.12.0", "h1:i85sVPjpZ0kfUCGZEbg5h1c5FF4M7UrdsQIKYwZHIJA=",
		[]string{"pkg/apis/crds/karpenter.k8s.aws_ec2nodeclasses.yaml"},
	},
	{
		"sigs.k8s.io/cluster-api", "v1.14.2", "h1:o3GFNaeNFAOEEMpDPfhCK+2CjmV6gtQ8yLEcUwCg7bA=",
		[]string{"core/config/crd/bases/cluster.x-k8s.io_machinedeployments.yaml", "core/config/crd/bases/cluster.x-k8s.io_machinesets.yaml", "core/config/crd/bases/cluster.x-k8s.io_machinepools.yaml"},
	},
	{
		"github.com/openshift/api", "v0.0.0-20260213155647-8fe9fe363807", "h1:coR/haF16EW8KS1E/PwJfDzMSy4mU9K0H1rcHejqYDY=",
		[]string{
			"machine/v1beta1/zz_generated.crd-manifests/0000_10_machine-api_01_machinesets-Default.crd.yaml",
			"machine/v1/zz_generated.crd-manifests/0000_10_control-plane-machine-set_01_controlplanemachinesets-Default.crd.yaml",
		},
	},
}

// Read returns the definitions as documents of YAML.
func (m CRDModule) Read(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", m.Path+"@"+m.Version)
	cmd.Dir = os.TempDir() // outside of a module: nothing but this one is looked at
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if e := json.Unmarshal(out, &got); e != nil || err != nil || got.Error != "" {
		return "", fmt.Errorf("downloading %s: %v %s", m.Path, err, got.Error)
	}
	if got.Sum != m.Sum {
		return "", fmt.Errorf("downloading %s: its sum is %s, want %s", m.Path, got.Sum, m.Sum)
	}
	var b bytes.Buffer
	for _, f := range m.Files {
		text, err := os.ReadFile(filepath.Join(got.Dir, f))
		if err != nil {
			return "", err
		}
		b.Write(text)
		b.WriteString("\n---\n")
	}
	return b.String(), nil
}

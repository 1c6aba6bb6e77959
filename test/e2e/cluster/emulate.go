package cluster

import (
	"context"
	"path/filepath"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

const (
	binfmtDir   = "/proc/sys/fs/binfmt_misc"
	binfmtRules = "/usr/lib/binfmt.d/qemu-aarch64.conf" // of Debian's qemu-user-static
)

// emulateArm64 has the kernel run arm64 programs by qemu-user, by a registration of this name, even
// if there is one: another suite takes its own away when it ends. The kernel drops it with the last
// mount of binfmt_misc, which is the machine's where nobody else has mounted it. Flag F in the rules opens qemu here and now, so
// containers whose root lacks it can run arm64 programs.
func (m *machine) emulateArm64(name string) error {
	return m.shell(`
mount -t binfmt_misc binfmt_misc ` + binfmtDir + `
sed "s/^:[^:]*:/:` + name + `:/" ` + binfmtRules + ` >` + binfmtDir + `/register`)
}

// arm64Containerd is the command line of an arm64 containerd under qemu-user: Debian's, for the
// host may have no arm64 libraries.
func arm64Containerd(ctx context.Context, logf func(string, ...any)) ([]string, error) {
	root, err := tool.Debian(ctx, logf, "arm64", "containerd")
	if err != nil {
		return nil, err
	}
	return []string{"qemu-aarch64-static", "-L", root, filepath.Join(root, "usr/bin/containerd")}, nil
}

// holdArm64 keeps node-2's architecture at arm64, whatever its native kubelet reports.
const holdArm64 = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: node-2-is-arm64}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [nodes, nodes/status], resourceNames: [node-2]}
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: |
        [JSONPatch{op: "add", path: "/metadata/labels/kubernetes.io~1arch", value: "arm64"}]
  - patchType: JSONPatch
    jsonPatch:
      expression: |
        has(object.status) && has(object.status.nodeInfo)
          ? [JSONPatch{op: "replace", path: "/status/nodeInfo/architecture", value: "arm64"}] : []
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: node-2-is-arm64}
spec: {policyName: node-2-is-arm64}
`

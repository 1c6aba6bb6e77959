package tool

// What renders manifests, and what edits them.
var (
	Helm3     = Program{Name: "helm", Module: "helm3", Package: "helm.sh/helm/v3/cmd/helm", Version: "helm.sh/helm/v3"}
	Helm4     = Program{Name: "helm", Module: "helm4", Package: "helm.sh/helm/v4/cmd/helm", Version: "helm.sh/helm/v4"}
	Kustomize = Program{Name: "kustomize", Module: "kustomize", Package: "sigs.k8s.io/kustomize/kustomize/v5", Version: "sigs.k8s.io/kustomize/kustomize/v5"}
	Yq        = Program{Name: "yq", Module: "yq", Package: "github.com/mikefarah/yq/v4", Version: "github.com/mikefarah/yq/v4"}
)

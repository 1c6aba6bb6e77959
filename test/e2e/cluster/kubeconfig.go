package cluster

import (
	"fmt"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfig writes a kubeconfig whose user has the certificate of this name, and returns its
// path.
func (c *ControlPlane) kubeconfig(cert string) (string, error) {
	path := filepath.Join(c.dir, cert+".kubeconfig")
	config := api.Config{
		Clusters:       map[string]*api.Cluster{"e2e": {Server: c.server, CertificateAuthority: c.pki.crt("ca")}},
		AuthInfos:      map[string]*api.AuthInfo{cert: {ClientCertificate: c.pki.crt(cert), ClientKey: c.pki.private(cert)}},
		Contexts:       map[string]*api.Context{"e2e": {Cluster: "e2e", AuthInfo: cert}},
		CurrentContext: "e2e",
	}
	if err := clientcmd.WriteToFile(config, path); err != nil {
		return "", fmt.Errorf("writing the kubeconfig of %s: %w", cert, err)
	}
	return path, nil
}

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// InstallTekton installs Tekton Pipelines from the configuration in its own module, unchanged but
// for: the images come from the cluster's registry, controller and webhook run on node-1, and the
// feature flags given, each NAME=VALUE.
func (c *TwoArch) InstallTekton(t testing.TB, flags ...string) {
	t.Helper()
	if err := c.installTekton(t.Context(), t.Logf, flags); err != nil {
		t.Fatal(err)
	}
}

func (c *TwoArch) installTekton(ctx context.Context, logf func(string, ...any), flags []string) error {
	config, version, err := tool.TektonConfig(ctx)
	if err != nil {
		return fmt.Errorf("installing Tekton: %w", err)
	}
	if err := c.pushTekton(ctx, logf, version); err != nil {
		return fmt.Errorf("installing Tekton: %w", err)
	}
	began := time.Now()
	documents, err := c.tektonDocuments(config, version, flags)
	if err != nil {
		return fmt.Errorf("installing Tekton: %w", err)
	}
	if err := c.apply(ctx, "", documents); err != nil {
		return fmt.Errorf("installing Tekton: %w", err)
	}
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 3*time.Minute, true, c.tektonReady)
	if err != nil {
		return fmt.Errorf("installing Tekton: waiting until it is available: %w; the logs are in %s", err, c.dir)
	}
	logf("Tekton %s is up after %s", version, time.Since(began).Round(100*time.Millisecond))
	return nil
}

// pushTekton puts Tekton's programs into the registry as single amd64 images, and one for the shell
// that runs a step's script, which is of the node's architecture.
func (c *TwoArch) pushTekton(ctx context.Context, logf func(string, ...any), version string) error {
	var g errgroup.Group
	g.SetLimit(2)
	for _, command := range []string{"controller", "webhook", "entrypoint", "nop", "workingdirinit", "sidecarlogresults"} {
		program, err := tool.Tekton(command).Build(ctx, logf)
		if err != nil {
			return err
		}
		image := c.tektonImage(command, program)
		g.Go(func() error {
			_, err := c.push(ctx, "tekton/"+command+":"+version, image)
			return err
		})
	}
	g.Go(func() error {
		var shells []Image
		for _, arch := range []string{"amd64", "arm64"} {
			root, err := tool.Debian(ctx, logf, arch, "busybox-static")
			if err != nil {
				return err
			}
			busybox := Image{Arch: arch, Files: map[string]string{"/bin/busybox": filepath.Join(root, "bin/busybox")}}
			for _, applet := range []string{"sh", "cat", "chmod", "cp", "ls", "mkdir", "mv", "rm", "sleep", "tar", "uname"} {
				busybox.Files["/bin/"+applet] = "-> /bin/busybox"
			}
			shells = append(shells, busybox)
		}
		_, err := c.push(ctx, shellImage, shells...)
		return err
	})
	return g.Wait()
}

func (c *TwoArch) tektonImage(command, program string) Image {
	image := Image{Arch: "amd64", Files: map[string]string{"/ko-app/" + command: program}, Entrypoint: []string{"/ko-app/" + command}, User: "65532"}
	if c.authority != "" {
		image.Files["/etc/ssl/certs/ca-certificates.crt"] = c.authority
	}
	return image
}

const shellImage = "busybox:1"

var (
	koImage     = regexp.MustCompile(`ko://github\.com/tektoncd/pipeline/cmd/([a-z]+)`)
	tektonShell = regexp.MustCompile(`"cgr\.dev/chainguard/busybox@[^"]*"`)
	podTemplate = regexp.MustCompile(`(?m)^      serviceAccountName: tekton-pipelines-(controller|webhook|resolvers)$`)
	unreleased  = regexp.MustCompile(`(?m)(release|version): "?devel"?$`)
)

// tektonDocuments reads what Tekton's release would be made of, in the order of its file names.
func (c *TwoArch) tektonDocuments(config, version string, flags []string) (string, error) {
	var b strings.Builder
	for _, pattern := range []string{
		"100-namespace/*.yaml", "200-*.yaml", "201-*.yaml", "300-crds/*.yaml", "500-webhooks.yaml",
		"clusterrole-aggregate-*.yaml", "config-*.yaml", "controller.yaml", "webhook.yaml",
	} {
		files, err := filepath.Glob(filepath.Join(config, pattern))
		if err != nil || len(files) == 0 {
			return "", fmt.Errorf("reading %s: no file %s", config, pattern)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			b.WriteString("---\n")
			b.Write(text)
			b.WriteString("\n")
		}
	}
	s := c.tektonLocal(b.String(), version)
	for _, flag := range flags {
		name, value, _ := strings.Cut(flag, "=")
		shipped := regexp.MustCompile(`(?m)^  ` + name + `: ".*"$`)
		if len(shipped.FindAllString(s, -1)) != 1 {
			return "", fmt.Errorf("setting feature flag %s: Tekton %s does not ship it", name, version)
		}
		s = shipped.ReplaceAllString(s, "  "+name+`: "`+value+`"`)
	}
	return s, nil
}

// tektonLocal has the documents take images from the cluster's registry, and the
// deployments run on node-1.
func (c *TwoArch) tektonLocal(documents, version string) string {
	s := koImage.ReplaceAllString(documents, c.Registry+"/tekton/$1:"+version)
	s = tektonShell.ReplaceAllString(s, `"`+c.Registry+"/"+shellImage+`"`)
	s = podTemplate.ReplaceAllString(s, "$0\n      nodeSelector: {kubernetes.io/arch: amd64}")
	return unreleased.ReplaceAllString(s, `$1: "`+version+`"`)
}

// tektonReady says whether the deployments are available and the webhook is in use, which it is once
// it has put its certificate authority into its configuration.
func (c *TwoArch) tektonReady(ctx context.Context) (bool, error) {
	for _, name := range []string{"tekton-pipelines-controller", "tekton-pipelines-webhook"} {
		d, err := c.Client.AppsV1().Deployments("tekton-pipelines").Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if !available(d) {
			return false, nil
		}
	}
	hooks, err := c.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, "validation.webhook.pipeline.tekton.dev", metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	defaults, err := c.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, "webhook.pipeline.tekton.dev", metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	return len(hooks.Webhooks[0].ClientConfig.CABundle) > 0 && len(defaults.Webhooks[0].ClientConfig.CABundle) > 0, nil
}

func available(d *appsv1.Deployment) bool {
	for _, condition := range d.Status.Conditions {
		if condition.Type == appsv1.DeploymentAvailable && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

package tasks

import (
	"context"
	"testing"

	"github.com/tektoncd/pipeline/pkg/apis/config"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
)

// TestWebhookTakesThem runs the admission webhook's own code on every resource,
// with the feature flags that Tekton ships.
func TestWebhookTakesThem(t *testing.T) {
	flags, err := config.NewFeatureFlagsFromMap(map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := config.NewDefaultsFromMap(map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := config.ToContext(apis.WithinCreate(context.Background()), &config.Config{FeatureFlags: flags, Defaults: defaults})
	for _, d := range documents(t) {
		if m, ok := d.object.(metav1.Object); ok && m.GetGenerateName() != "" {
			m.SetName(m.GetGenerateName() + "x") // as the API server does first
		}
		if o, ok := d.object.(apis.Defaultable); ok {
			o.SetDefaults(ctx)
		}
		if o, ok := d.object.(apis.Validatable); ok {
			if err := o.Validate(ctx); err != nil {
				t.Errorf("%s: %s %s%s: %v", d.path, d.kind, d.meta.Name, d.meta.GenerateName, err)
			}
		}
	}
}

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

// Apply applies a stream of YAML or JSON documents as a server does for `kubectl apply
// --server-side`, objects without a namespace to the one given. A kind that the server does not
// know yet, because its CRD has only just been applied, is waited for.
func (c *ControlPlane) Apply(t testing.TB, namespace, documents string) {
	t.Helper()
	if err := c.apply(t.Context(), namespace, documents); err != nil {
		t.Fatal(err)
	}
}

// ApplyDocuments is Apply outside of a test.
func (c *ControlPlane) ApplyDocuments(ctx context.Context, namespace, documents string) error {
	return c.apply(ctx, namespace, documents)
}

// ApplyStatus applies the same documents, and then the status of those that have
// one, as their controllers would.
func (c *ControlPlane) ApplyStatus(t testing.TB, namespace, documents string) {
	t.Helper()
	for _, subresources := range [][]string{nil, {"status"}} {
		if err := c.apply(t.Context(), namespace, documents, subresources...); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *ControlPlane) apply(ctx context.Context, namespace, documents string, subresources ...string) error {
	known, err := discovery.NewDiscoveryClientForConfig(c.Config)
	if err != nil {
		return fmt.Errorf("applying: %w", err)
	}
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		return fmt.Errorf("applying: %w", err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(known))
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader([]byte(documents))))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("applying: %w", err)
		}
		var object unstructured.Unstructured
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			return fmt.Errorf("applying: %w in\n%s", err, document)
		}
		if object.Object == nil {
			continue // nothing but comments
		}
		if err := applyOne(ctx, client, mapper, namespace, &object, subresources); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}

func applyOne(ctx context.Context, client dynamic.Interface, mapper *restmapper.DeferredDiscoveryRESTMapper, namespace string, object *unstructured.Unstructured, subresources []string) error {
	if len(subresources) > 0 && object.Object["status"] == nil {
		return nil
	}
	mapping, err := mappingOf(ctx, mapper, object)
	if err != nil {
		return err
	}
	var target dynamic.ResourceInterface = client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if object.GetNamespace() == "" {
			object.SetNamespace(namespace)
		}
		target = client.Resource(mapping.Resource).Namespace(object.GetNamespace())
	}
	if object.GetName() == "" { // generateName: a new object each time
		_, err = target.Create(ctx, object, metav1.CreateOptions{FieldManager: "e2e"})
		return err
	}
	_, err = target.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "e2e", Force: true}, subresources...)
	return err
}

func mappingOf(ctx context.Context, mapper *restmapper.DeferredDiscoveryRESTMapper, object *unstructured.Unstructured) (*meta.RESTMapping, error) {
	kind := object.GroupVersionKind()
	for deadline := time.Now().Add(15 * time.Second); ; {
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err == nil || !meta.IsNoMatchError(err) || time.Now().After(deadline) {
			return mapping, err
		}
		mapper.Reset()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

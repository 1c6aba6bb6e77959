package cluster

import (
	"context"
	"sync"
	"testing"
)

var shared struct {
	sync.Once
	cluster *ControlPlane
	err     error
}

// Shared returns the control plane that all tests of this process share; the first call starts it.
// It has no nodes but those that a test sets with SetNodes, so tests that use it do not run in
// parallel.
func Shared(t testing.TB) *ControlPlane {
	t.Helper()
	shared.Do(func() {
		// Not the test's context: the cluster outlives the test. It ends with the process.
		shared.cluster, shared.err = Start(context.Background(), t.Logf)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}

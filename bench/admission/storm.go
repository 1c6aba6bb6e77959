package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

// storm creates Pods from 50 clients at once, then rolls Deployments out. One
// that fails ends the run.
func (c *contender) storm(ctx context.Context, burst, rollout int) (row string, err error) {
	took := make([]time.Duration, burst)
	var g errgroup.Group
	g.SetLimit(50)
	began := time.Now()
	for i := range burst {
		g.Go(func() error {
			var err error
			took[i], err = c.create(ctx, shape{"burst", 3, 0, 1}, i)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return "", err
	}
	all := time.Since(began)
	rolled, err := c.roll(ctx, rollout)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("| %s | %.1f s | %.0f | %s ms | %.1f s | 0 |\n", c.name, all.Seconds(), float64(burst)/all.Seconds(), ms(percentile(took, 99)), rolled.Seconds()), nil
}

// roll creates Deployments of two Pods each and then changes them all at once.
func (c *contender) roll(ctx context.Context, count int) (time.Duration, error) {
	two, labels := int32(2), func(n int) map[string]string { return map[string]string{"d": fmt.Sprint(n)} }
	err := c.each(count, func(n int) error {
		p := pod(shape{"rollout", 3, 0, 1}, n)
		_, err := c.client.AppsV1().Deployments(c.namespace).Create(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("d", n)}, Spec: appsv1.DeploymentSpec{
			Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: labels(n)}, Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels(n)}, Spec: p.Spec}}}, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := c.made(ctx, count, ""); err != nil {
		return 0, err
	}
	began := time.Now()
	err = c.each(count, func(n int) error {
		patch := `{"spec":{"template":{"metadata":{"labels":{"turn":"two"}}}}}`
		_, err := c.client.AppsV1().Deployments(c.namespace).Patch(ctx, fmt.Sprint("d", n), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := c.made(ctx, count, "turn=two"); err != nil {
		return 0, err
	}
	took := time.Since(began)
	return took, c.failures(ctx)
}

func (c *contender) each(count int, do func(int) error) error {
	var g errgroup.Group
	g.SetLimit(20)
	for n := range count {
		g.Go(func() error { return do(n) })
	}
	return g.Wait()
}

// made waits until each Deployment has its two Pods.
func (c *contender) made(ctx context.Context, count int, selector string) error {
	have := 0
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 10*time.Minute, true, func(ctx context.Context) (bool, error) {
		pods, err := c.client.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: joined("d", selector)})
		if err != nil {
			return false, err
		}
		have = 0
		for _, p := range pods.Items {
			if p.DeletionTimestamp != nil {
				continue
			}
			if err := c.check(&p); err != nil {
				return false, err
			}
			have++
		}
		return have == 2*count, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %d Pods, %d are there: %w", 2*count, have, errors.Join(err, c.failures(ctx)))
	}
	return nil
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + "," + b
}

// failures is an error if a controller could not create a Pod.
func (c *contender) failures(ctx context.Context) error {
	events, err := c.client.CoreV1().Events(c.namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=FailedCreate"})
	if err == nil && len(events.Items) > 0 {
		err = fmt.Errorf("%d controllers could not create Pods: %s", len(events.Items), events.Items[0].Message)
	}
	return err
}

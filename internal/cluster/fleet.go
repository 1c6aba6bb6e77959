package cluster

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
)

// clustersAtOnce bounds how many clusters are asked at the same time.
const clustersAtOnce = 8

// SurveyAll asks all sources at once. The surveys and errors are in the order
// of the sources, one of the two for each: a failure does not stop the rest, so
// that all failures can be reported together.
func SurveyAll(ctx context.Context, sources []Source, q Query) ([]*Survey, []error) {
	surveys, errs := make([]*Survey, len(sources)), make([]error, len(sources))
	var g errgroup.Group
	g.SetLimit(clustersAtOnce)
	for i, s := range sources {
		g.Go(func() error {
			surveys[i], errs[i] = patiently(ctx, s, q)
			return nil
		})
	}
	g.Wait()
	return surveys, errs
}

// patiently asks a source, and abandons it soon after ctx ends: client-go waits
// for a program that gets credentials however long it takes.
func patiently(ctx context.Context, s Source, q Query) (*Survey, error) {
	type answer struct {
		survey *Survey
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		survey, err := s.Survey(ctx, q)
		answers <- answer{survey, err}
	}()
	select {
	case a := <-answers:
		return a.survey, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answers: // with a better reason
		return a.survey, a.err
	case <-time.After(200 * time.Millisecond):
		endChildren()
		return nil, exit.Unreachablef("reading nodes of %s: nothing came in time", s.Name()).
			Hint("does the kubeconfig get credentials from a program that waits for somebody to log in? --timeout gives it longer")
	}
}

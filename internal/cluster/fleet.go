package cluster

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// clustersAtOnce bounds how many clusters are asked at the same time.
const clustersAtOnce = 8

// SurveyAll asks all sources at once. The surveys and errors are in the order
// of the sources, one of the two for each: a failure does not stop the rest,
// so that all failures can be told together.
func SurveyAll(ctx context.Context, sources []Source, q Query) ([]*Survey, []error) {
	surveys, errs := make([]*Survey, len(sources)), make([]error, len(sources))
	var g errgroup.Group
	g.SetLimit(clustersAtOnce)
	for i, s := range sources {
		g.Go(func() error {
			surveys[i], errs[i] = s.Survey(ctx, q)
			return nil
		})
	}
	g.Wait()
	return surveys, errs
}

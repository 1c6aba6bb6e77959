package cluster

import "context"

// A Query says what to find out about a cluster.
type Query struct {
	Filter Filter
}

// A Source is a cluster, or a record of one.
type Source interface {
	Name() string
	Survey(context.Context, Query) (*Survey, error)
}

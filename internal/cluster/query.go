package cluster

import "context"

// A Query says what to find out about a cluster.
type Query struct {
	Filter    Filter
	Counts    bool // read every node whole, for exact counts
	NodePools bool // ask for node pools too, which may have no node now
}

// A Source is a cluster, or a record of one.
type Source interface {
	Name() string
	Survey(context.Context, Query) (*Survey, error)
}

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/retry"
)

// acceptMetadata asks for the metadata of objects alone, best as protobuf.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches
const acceptMetadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," +
	"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

// A listing is a request for nodes.
type listing struct {
	selector string   // of labels
	fields   string   // likewise
	limit    int      // of a page; 0 leaves it to the server
	metadata bool     // name and labels are enough
	keep     []string // the labels that matter beside those of platforms
}

// A sink takes what a listing returns. A listing that must start over calls
// start again, and the sink drops what it has.
type sink struct {
	start  func()
	each   func(*Node)
	enough func() bool  // asked after each page; nil reads all
	refuse func() error // asked after each node; nil takes any
}

// list reads pages of nodes until there are no more or the sink has enough,
// which it reports as more. A list whose continuation has expired, or whose
// body broke off, starts again.
func (s *Server) list(ctx context.Context, l listing, to sink) (more bool, err error) {
	for try := 1; ; try++ {
		to.start()
		more, err = s.pages(ctx, l, to)
		if l.metadata && (isStatus(err, http.StatusNotAcceptable) || isStatus(err, http.StatusBadRequest)) {
			l.metadata = false // a proxy or a gateway that knows only plain JSON
			continue
		}
		var stale *staleError
		if !errors.As(err, &stale) {
			return more, err
		}
		if try >= retry.Default.Tries {
			return more, s.explain(ctx, "reading nodes", stale.err)
		}
	}
}

// A staleError ends a list that may succeed if started over.
type staleError struct{ err error }

func (e *staleError) Error() string { return e.err.Error() }

func (s *Server) pages(ctx context.Context, l listing, to sink) (more bool, err error) {
	query := url.Values{}
	if l.selector != "" {
		query.Set("labelSelector", l.selector)
	}
	if l.fields != "" {
		query.Set("fieldSelector", l.fields)
	}
	if l.limit > 0 {
		query.Set("limit", strconv.Itoa(l.limit))
	}
	for {
		p, err := s.page(ctx, l, query, to)
		switch {
		case err != nil:
			return false, err
		case p.Continue == "":
			return false, nil
		case to.enough != nil && to.enough():
			return true, nil
		case p.Continue == query.Get("continue"):
			return false, exit.Failf("reading nodes of %s: the server returns the same page again and again", s.name)
		}
		query.Set("continue", p.Continue)
	}
}

func (s *Server) page(ctx context.Context, l listing, query url.Values, to sink) (page, error) {
	accept := "application/json"
	if l.metadata {
		accept = acceptMetadata
	}
	resp, err := s.get(ctx, "reading nodes", "api/v1/nodes", query, accept)
	if err != nil {
		if isStatus(err, http.StatusGone) {
			return page{}, &staleError{err}
		}
		return page{}, err
	}
	defer resp.Body.Close()
	body := &ration{r: resp.Body, left: maxItem}
	counted := func(n *Node) {
		body.item()
		to.each(n)
		if to.refuse != nil {
			body.err = to.refuse()
		}
	}
	var p page
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind {
	case "application/vnd.kubernetes.protobuf":
		p, err = decodeProtobuf(body, keptLabels(l.keep), counted)
	case "application/json":
		p, err = decodeList(json.NewDecoder(body), counted)
	default:
		err = errNotNodes
	}
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, io.EOF), retry.Dropped(err):
		return p, &staleError{inside(err)}
	}
	return p, s.garbled(ctx, "reading nodes", err)
}

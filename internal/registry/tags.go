package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

const (
	tagsPage = 1000
	maxPage  = 1 << 20 // bytes; a tag has at most 128
	// MaxTags is how many tags AllTags lists.
	MaxTags = 20_000
)

// Tags returns the tags of a repository in the order of the registry, up to so
// many, and whether there are more (distribution-spec, "Listing Tags").
func (c *Client) Tags(ctx context.Context, repo Repository, most int) (tags []string, more bool, err error) {
	return c.tags(ctx, repo, most, most/tagsPage+11) // some registries have short pages
}

// FirstTags is Tags with one request.
func (c *Client) FirstTags(ctx context.Context, repo Repository) (tags []string, more bool, err error) {
	return c.tags(ctx, repo, tagsPage, 1)
}

// AllTags is Tags for a repository all of whose tags are wanted.
func (c *Client) AllTags(ctx context.Context, repo Repository) ([]string, error) {
	tags, more, err := c.tags(ctx, repo, MaxTags, MaxTags/20)
	if err == nil && more {
		return nil, Explain("listing the tags of "+repo.String(), repo.Host, fmt.Errorf("there are more than %d, or they take more than %d pages", MaxTags, MaxTags/20))
	}
	return tags, err
}

func (c *Client) tags(ctx context.Context, repo Repository, most, mostPages int) (tags []string, more bool, err error) {
	var next *url.URL
	r := request{
		method: http.MethodGet, repo: repo, path: "tags/list",
		query: url.Values{"n": {strconv.Itoa(min(most, tagsPage))}}, ok: []int{200},
		read: func(resp *http.Response) error {
			b, err := readAll(resp.Body, maxPage)
			if err != nil {
				return err
			}
			var page struct{ Tags []string }
			if err := json.Unmarshal(b, &page); err != nil {
				return final{err}
			}
			for _, t := range page.Tags {
				if tagGrammar.MatchString(t) {
					tags = append(tags, t)
				}
			}
			if next, err = nextPage(resp); err != nil {
				return final{err}
			}
			return nil
		},
	}
	for pages := 1; ; pages++ {
		if err := c.do(ctx, r); err != nil {
			return nil, false, Explain("listing the tags of "+repo.String(), repo.Host, err)
		}
		switch {
		case len(tags) >= most:
			return tags[:most], next != nil || len(tags) > most, nil
		case next == nil:
			return tags, false, nil
		case pages >= mostPages: // which hold next to nothing
			return tags, true, nil
		}
		r.at = next
	}
}

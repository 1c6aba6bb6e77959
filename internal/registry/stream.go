package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Open reads a blob of any size as it arrives. If the connection breaks,
// reading resumes where it ended. At the end size and digest are checked: a
// blob that is read to io.EOF is the right one.
func (c *Client) Open(ctx context.Context, repo Repository, d v1.Descriptor) (io.ReadCloser, error) {
	s := &stream{c: c, ctx: ctx, repo: repo, d: d, hash: sha256.New(), tries: newTries(c.o)}
	if err := s.connect(); err != nil {
		return nil, s.explain(err)
	}
	return s, nil
}

type stream struct {
	c     *Client
	ctx   context.Context
	repo  Repository
	d     v1.Descriptor
	body  io.ReadCloser
	at    int64 // how much was read
	broke int64 // where it broke last
	hash  hash.Hash
	tries *tries
}

func (s *stream) explain(err error) error {
	return Explain("reading "+s.repo.Digest(s.d.Digest).String(), s.repo.Host, err)
}

// connect asks for what is left of the blob.
func (s *stream) connect() error {
	r := request{
		method: http.MethodGet, repo: s.repo, path: "blobs/" + s.d.Digest.String(),
		header: http.Header{}, ok: []int{200}, keep: true,
		nested: s.at > 0, // it may be on its way to the same host
		wait:   s.d.MediaType == "" || s.d.MediaType.IsDistributable(),
	}
	if s.at > 0 {
		r.header.Set("Range", fmt.Sprintf("bytes=%d-%d", s.at, s.d.Size-1))
		r.ok = []int{200, 206}
	}
	r.read = func(resp *http.Response) error {
		s.body = resp.Body
		if resp.StatusCode == 206 {
			if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", s.at)) {
				return final{errors.New("the registry sent another range than it was asked for")}
			}
			return nil
		}
		_, err := io.CopyN(io.Discard, resp.Body, s.at) // it does not support ranges
		return err
	}
	return s.c.do(s.ctx, r)
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		n, err := s.body.Read(p)
		s.hash.Write(p[:n])
		s.at += int64(n)
		switch {
		case s.at > s.d.Size:
			return 0, s.explain(fmt.Errorf("it is longer than its %d bytes", s.d.Size))
		case errors.Is(err, io.EOF) && s.at == s.d.Size:
			if got := hex.EncodeToString(s.hash.Sum(nil)); got != s.d.Digest.Hex {
				return 0, s.explain(fmt.Errorf("what the registry sent has the digest sha256:%s", got))
			}
			return n, io.EOF
		case err == nil || n > 0:
			return n, nil
		}
		if err := s.again(err); err != nil {
			return 0, s.explain(err)
		}
	}
}

// again resumes a broken connection.
func (s *stream) again(cause error) error {
	s.body.Close()
	if errors.Is(cause, io.EOF) {
		cause = io.ErrUnexpectedEOF
	}
	if s.ctx.Err() != nil {
		return s.c.ended(s.ctx, cause)
	}
	if s.at > s.broke { // it moves on
		s.tries = newTries(s.c.o)
	}
	s.broke = s.at
	pause, again := s.tries.next(s.ctx, request{}, broken{cause})
	if !again {
		return broken{cause}
	}
	s.c.o.Logf("reading from %s stopped after %d of %d bytes: %v; going on in %s", s.repo.Host, s.at, s.d.Size, cause, pause)
	if err := s.c.o.sleep(s.ctx, pause); err != nil {
		return err
	}
	return s.connect()
}

// Close drops what was not read.
func (s *stream) Close() error { return s.body.Close() }

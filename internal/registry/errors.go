package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/retry"
	"github.com/polyarch/polyarch/internal/text"
)

// A StatusError is an answer other than success.
type StatusError struct {
	Status  int
	Codes   []string // of the distribution specification: MANIFEST_UNKNOWN, DENIED, …
	Message string   // what the registry says, on one line; not to be trusted

	retryAfter time.Duration
	challenges []challenge
	mu         sync.Mutex // of Message: what a token service answers is an error of all that wait for the token
}

const maxErrorBody = 8 << 10

func newStatusError(resp *http.Response) *StatusError {
	e := &StatusError{
		Status:     resp.StatusCode,
		retryAfter: retry.After(resp.Header.Get("Retry-After"), time.Now()),
		challenges: parseChallenges(resp.Header.Values("WWW-Authenticate")),
	}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	var doc struct {
		Errors []struct{ Code, Message string }
		// of token services
		Details string
		Error   string `json:"error_description"`
	}
	if json.Unmarshal(b, &doc) == nil {
		var parts []string
		for _, one := range doc.Errors {
			e.Codes = append(e.Codes, one.Code)
			parts = append(parts, strings.TrimSuffix(one.Code+": "+one.Message, ": "))
		}
		parts = append(parts, doc.Details, doc.Error)
		e.Message = strings.Trim(strings.Join(parts, ", "), ", ")
	} else if !strings.Contains(string(b), "<") { // a page of a proxy says nothing in one line
		e.Message = string(b)
	}
	e.Message = text.Line(e.Message)
	return e
}

// maxMessage is how much of a message is shown. It is cut when it is shown: a
// secret in it must be whole to be found.
const maxMessage = 300

func (e *StatusError) Error() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if m := e.Message; len(m) > maxMessage {
		s += ": " + strings.ToValidUTF8(m[:maxMessage], "") + "…"
	} else if m != "" {
		s += ": " + m
	}
	return s
}

// scrub takes secrets out of the message, and what may be the beginning of one
// at its end, where it was cut off.
func (e *StatusError) scrub(secrets []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, secret := range secrets {
		if len(secret) < 4 {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(strconv.Quote(secret), `"`)} {
			e.Message = strings.ReplaceAll(e.Message, form, "***")
			for n := min(len(form), len(e.Message)); n > 3; n-- {
				if strings.HasSuffix(e.Message, form[:n]) {
					e.Message = e.Message[:len(e.Message)-n] + "***"
					break
				}
			}
		}
	}
}

// early reports whether the answer says that something is missing which was
// sent before: it may not have arrived everywhere.
func (e *StatusError) early() bool {
	for _, code := range e.Codes {
		switch code {
		case "MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID":
			return e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound
		}
	}
	return e.Status == http.StatusNotFound && len(e.Codes) == 0
}

// temporary reports whether the same request may succeed later.
func (e *StatusError) temporary() bool {
	return retry.Status(e.Status)
}

// plainToTLS recognises what servers answer to plain HTTP on a TLS port.
func (e *StatusError) plainToTLS() bool {
	return e.Status == http.StatusBadRequest && strings.Contains(e.Message, "HTTPS server")
}

// NotFound reports whether err says that what was asked for does not exist.
func NotFound(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Status == http.StatusNotFound
}

// Explain makes the error of an action ("reading ghcr.io/me/app:v1") at a
// host: with the exit code that fits its cause and a hint where there is one.
func Explain(action, host string, err error) error {
	if err == nil {
		return nil
	}
	var known *exit.Error
	if errors.As(err, &known) {
		return err
	}
	var status *StatusError
	if !errors.As(err, &status) {
		if temporary(err) || errors.As(err, &broken{}) {
			e := exit.Unreachablef("%s: %w", action, err)
			if loopback(host) {
				return e
			}
			return e.Hint("is %s reachable from here? a registry that speaks plain HTTP needs --insecure-registry %s", host, host)
		}
		return exit.Failf("%s: %w", action, err)
	}
	switch {
	case status.Status == 401:
		return exit.Deniedf("%s: %w", action, err).Hint("log in with: docker login %s", host)
	case status.Status == 403:
		return exit.Deniedf("%s: %w", action, err).Hint("the credential for %s is known there but lacks this permission", host)
	case status.Status >= 500 || status.Status == 429:
		return exit.Unreachablef("%s: %w", action, err)
	}
	return exit.Failf("%s: %w", action, err)
}

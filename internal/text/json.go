package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// JSONOffset returns how many bytes an error of encoding/json is into its
// input; ok is false if it does not say. An input that ends too early is wrong
// at its end, size.
func JSONOffset(err error, size int64) (offset int64, ok bool) {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return min(syntax.Offset, size), true
	case errors.As(err, &mismatch):
		return min(mismatch.Offset, size), true
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return size, true
	}
	return 0, false
}

// JSONLine returns the line, from 1, of b that an error of encoding/json is
// about, or 0 if it does not say.
func JSONLine(b []byte, err error) int {
	offset, ok := JSONOffset(err, int64(len(b)))
	if !ok {
		return 0
	}
	return 1 + bytes.Count(b[:offset], []byte("\n"))
}

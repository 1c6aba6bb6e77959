package registry

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestReadAhead(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), 150_000)
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(want), "halves": iotest.HalfReader(bytes.NewReader(want)), "data with the error": iotest.DataErrReader(bytes.NewReader(want)),
	} {
		a := readAhead(io.NopCloser(r))
		got, err := io.ReadAll(a)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		a.Close()
	}
	a := readAhead(io.NopCloser(io.MultiReader(bytes.NewReader(want[:5]), iotest.ErrReader(errStalled))))
	if got, err := io.ReadAll(a); len(got) != 5 || !errors.Is(err, errStalled) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	a.Close()
	a = readAhead(io.NopCloser(bytes.NewReader(want)))
	a.Close()
	a.Close()
}

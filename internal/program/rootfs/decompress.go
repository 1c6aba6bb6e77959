package rootfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxZstdWindow bounds the memory that a zstd layer makes its reader take:
// that of level 19 and of "zstd --ultra -20" fit.
const maxZstdWindow = 32 << 20

// decompress looks at the first bytes, since media types lie.
func (r *Reader) decompress(layer io.Reader) (io.Reader, func(), error) {
	if r.raw == nil {
		r.raw = bufio.NewReaderSize(layer, 64<<10)
	}
	b := r.raw
	b.Reset(layer)
	magic, err := b.Peek(6)
	head := string(magic)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, nil, err
	case strings.HasPrefix(head, "\x1f\x8b"):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the layer: %w", err)
		}
		return z, func() { z.Close() }, nil
	case strings.HasPrefix(head, "\x28\xb5\x2f\xfd"), len(head) >= 4 && head[0]&0xf0 == 0x50 && head[1:4] == "\x2a\x4d\x18":
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, nil, fmt.Errorf("reading the layer: %w", err)
		}
		return windowed{z}, z.Close, nil
	case head == "\xfd7zXZ\x00":
		return nil, nil, &Unreadable{"it is compressed with xz, which no runtime has to read"}
	case strings.HasPrefix(head, "BZh"):
		return nil, nil, &Unreadable{"it is compressed with bzip2, which no runtime has to read"}
	}
	return b, func() {}, nil
}

// windowed explains zstd's error about too large a window.
type windowed struct{ *zstd.Decoder }

func (w windowed) Read(p []byte) (int, error) {
	n, err := w.Decoder.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = &Unreadable{fmt.Sprintf("it needs a zstd window of more than %d MiB", maxZstdWindow>>20)}
	}
	return n, err
}

func (w windowed) WriteTo(out io.Writer) (int64, error) { return io.Copy(out, struct{ io.Reader }{w}) }

package cluster

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kubernetes' protobuf, read as a stream: of each object its name and the few
// labels that matter. Field numbers are those of apimachinery's
// pkg/runtime/generated.proto and pkg/apis/meta/v1/generated.proto; every kind
// of list has its ListMeta in field 1 and its items in field 2, and every
// object its ObjectMeta in field 1.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
const (
	protobufMagic = "k8s\x00"

	unknownRaw       = 2
	listMeta         = 1
	listItems        = 2
	listMetaContinue = 3
	objectMeta       = 1
	metaName         = 1
	metaLabels       = 11
	mapKey           = 1
	mapValue         = 2
)

var errProtobuf = fmt.Errorf("%w: its protobuf is damaged", errNotNodes)

// keptLabels returns the labels that a platform, and a virtual kubelet, are
// known by, and others.
func keptLabels(others []string) map[string]bool {
	kept := map[string]bool{osLabel: true, archLabel: true, virtualLabel: true}
	for _, l := range others {
		kept[l] = true
	}
	return kept
}

// decodeProtobuf reads a list of objects and calls each for every one with its
// name and those labels that are kept, while it reads.
func decodeProtobuf(r io.Reader, kept map[string]bool, each func(*Node)) (page, error) {
	b := bufio.NewReaderSize(r, 32<<10)
	magic := make([]byte, len(protobufMagic))
	if _, err := io.ReadFull(b, magic); err != nil {
		return page{}, inside(err)
	}
	if string(magic) != protobufMagic {
		return page{}, fmt.Errorf("%w: its protobuf is not Kubernetes'", errNotNodes)
	}
	var p page
	for {
		field, length, err := header(b)
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return p, err
		}
		if field != unknownRaw {
			if _, err := io.CopyN(io.Discard, b, length); err != nil {
				return p, inside(err)
			}
			continue
		}
		if p, err = decodeMessages(b, length, kept, each); err != nil {
			return p, err
		}
	}
}

// decodeMessages reads the list itself, which is total bytes long.
func decodeMessages(b *bufio.Reader, total int64, kept map[string]bool, each func(*Node)) (page, error) {
	var p page
	var buf []byte
	counted := &countingReader{r: b}
	for counted.n < total {
		field, length, err := header(counted)
		if err != nil {
			return p, inside(err)
		}
		switch {
		case length > total-counted.n:
			return p, errProtobuf
		case length > maxItem:
			return p, errTooLong
		}
		if int64(cap(buf)) < length {
			buf = make([]byte, length)
		}
		buf = buf[:length]
		if _, err := io.ReadFull(counted, buf); err != nil {
			return p, inside(err)
		}
		switch field {
		case listMeta:
			err = fields(buf, func(field int, value []byte) error {
				if field == listMetaContinue {
					p.Continue = string(value)
				}
				return nil
			})
		case listItems:
			var n Node
			if n, err = decodeObject(buf, kept); err == nil {
				each(&n)
			}
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func decodeObject(object []byte, kept map[string]bool) (Node, error) {
	n := Node{Labels: map[string]string{}}
	err := fields(object, func(field int, meta []byte) error {
		if field != objectMeta {
			return nil
		}
		return fields(meta, func(field int, value []byte) error {
			switch field {
			case metaName:
				n.Name = string(value)
			case metaLabels:
				var key, val []byte
				if err := fields(value, func(field int, v []byte) error {
					switch field {
					case mapKey:
						key = v
					case mapValue:
						val = v
					}
					return nil
				}); err != nil {
					return err
				}
				if kept[string(key)] {
					n.Labels[string(key)] = string(val)
				}
			}
			return nil
		})
	})
	return n, err
}

// header reads the head of a field that has a length.
func header(r io.ByteReader) (field int, length int64, err error) {
	tag, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, 0, err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, 0, inside(err)
	}
	if tag&7 != 2 || tag>>3 > 1<<20 || n > 1<<40 {
		return 0, 0, errProtobuf
	}
	return int(tag >> 3), int64(n), nil
}

// fields calls visit for each field of a message that has a length, and passes
// over numbers.
func fields(message []byte, visit func(field int, value []byte) error) error {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return errProtobuf
		}
		message = message[n:]
		size, n := uint64(0), 0
		switch tag & 7 {
		case 0: // a varint
			if _, n = binary.Uvarint(message); n <= 0 {
				return errProtobuf
			}
		case 1:
			size = 8
		case 5:
			size = 4
		case 2:
			if size, n = binary.Uvarint(message); n <= 0 {
				return errProtobuf
			}
		default:
			return errProtobuf
		}
		if size > uint64(len(message)-n) {
			return errProtobuf
		}
		value := message[n : n+int(size)]
		message = message[n+int(size):]
		if tag&7 == 2 && tag>>3 < 1<<20 {
			if err := visit(int(tag>>3), value); err != nil {
				return err
			}
		}
	}
	return nil
}

// countingReader counts what is read of a bufio.Reader.
type countingReader struct {
	r *bufio.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *countingReader) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

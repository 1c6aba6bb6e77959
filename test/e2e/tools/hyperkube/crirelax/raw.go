package main

// raw is a message that nobody decodes.
type raw []byte

// rawCodec hands messages through as they are. Its name must be "proto": that is the
// content-subtype both sides speak.
type rawCodec struct{}

func (rawCodec) Name() string                  { return "proto" }
func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*raw), nil }
func (rawCodec) Unmarshal(b []byte, v any) error {
	*v.(*raw) = append(raw(nil), b...)
	return nil
}

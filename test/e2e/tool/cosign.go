package tool

// Cosign signs what a release publishes.
var Cosign = Program{Name: "cosign", Module: "cosign", Package: "github.com/sigstore/cosign/v3/cmd/cosign", Version: "github.com/sigstore/cosign/v3"}

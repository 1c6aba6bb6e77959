package tool

// Ko builds images of Go programs.
var Ko = Program{Name: "ko", Module: "ko", Package: "github.com/google/ko", Version: "github.com/google/ko"}

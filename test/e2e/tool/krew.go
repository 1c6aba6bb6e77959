package tool

// Krew installs plugins of kubectl.
var Krew = Program{Name: "krew", Module: "krew", Package: "sigs.k8s.io/krew/cmd/krew", Version: "sigs.k8s.io/krew"}

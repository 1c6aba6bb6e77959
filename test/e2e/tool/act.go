package tool

// Act runs GitHub workflows on this machine.
var Act = Program{Name: "act", Module: "act", Package: "github.com/nektos/act", Version: "github.com/nektos/act", LDFlags: "-X main.version={version}"}

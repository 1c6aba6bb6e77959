// Package builder runs the tools that build images: it knows each tool's
// command line, the environment it wants, and where it says what it pushed.
//
// A builder is a value: a function from a request to commands (pure), and one
// that reads the tool's report. Run starts the commands.
package builder

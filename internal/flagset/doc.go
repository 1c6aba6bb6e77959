// Package flagset is the standard library's flag package with what a
// pipeline's tool needs beyond it: groups for the help text, flags after
// arguments, values that are lists, and a description of all flags that
// documents, tests and shells read.
package flagset

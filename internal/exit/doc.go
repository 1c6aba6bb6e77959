// Package exit holds the errors that decide with which code a program ends.
// It depends on the standard library alone, so that every package can say
// what kind of failure it met.
package exit

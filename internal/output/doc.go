// Package output carries a program's results to where a pipeline looks for
// them: standard output, and the files and consoles of CI systems.
//
// Everything is checked before the first byte is written, files are put in
// place whole, and standard output comes last: a failed run leaves nothing.
//
// A CI system is one file that implements System, and one line in Shipped.
package output

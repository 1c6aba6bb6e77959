// Package programs compares the verdicts of internal/program with execution:
// root file systems made of Debian packages for eight architectures, right ones
// and ones broken by rule, each judged and each run.
package programs

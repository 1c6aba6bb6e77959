// Package text makes strings that somebody else wrote safe to show.
package text

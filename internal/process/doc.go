// Package process runs other programs, so that they and all that they start end
// with this one, and hands over what they print.
package process

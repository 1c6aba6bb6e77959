// Package command is what every main shares: flags, help, version, signals,
// messages and exit codes.
package command

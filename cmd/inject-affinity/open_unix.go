//go:build unix

package main

import "syscall"

// nonBlocking keeps a pipe that took a file's place from holding the run up.
const nonBlocking = syscall.O_NONBLOCK

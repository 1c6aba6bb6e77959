// Command measure runs a program, with its output dropped, and prints how long
// it took in nanoseconds, its peak resident memory in bytes, and the processor time
// of it and its children in nanoseconds.
//
// It is a separate program because Linux counts what a process used before its
// exec towards its peak: a large parent would show in each child.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
	wall := time.Since(start)
	fmt.Println(wall.Nanoseconds(), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Nanoseconds())
}

// Command detect-arch prints which platforms a workload can run on, in these
// clusters, now.
package main

import (
	"os"

	"github.com/polyarch/polyarch/internal/command"
)

func main() { os.Exit(command.Main(program())) }

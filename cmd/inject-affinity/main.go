// Inject-affinity pins workloads to the nodes that can run their images: it
// adds node affinity to Kubernetes manifests and changes nothing else.
package main

import (
	"os"

	"github.com/polyarch/polyarch/internal/command"
)

func main() { os.Exit(command.Main(program())) }

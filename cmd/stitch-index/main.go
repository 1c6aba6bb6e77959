// Command stitch-index makes one image index of the images that were built for
// each platform.
package main

import (
	"os"

	"github.com/polyarch/polyarch/internal/command"
)

func main() { os.Exit(command.Main(program())) }

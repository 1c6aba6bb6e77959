//go:build !unix

package atomicfile

import (
	"io/fs"
	"os"
)

func keepOwner(*os.File, fs.FileInfo) error { return nil }

func umask() fs.FileMode { return 0 }

func links(fs.FileInfo) uint64 { return 1 }

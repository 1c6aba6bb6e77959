package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version and Commit are set by the linker (-X) in a build by make; a build by
// `go install` has the module's version in its build information.
var (
	Version = ""
	Commit  = ""
)

func versionLine() string {
	version, commit := Version, Commit
	if info, ok := debug.ReadBuildInfo(); ok {
		if version == "" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && commit == "" {
				commit = s.Value
			}
		}
	}
	if version == "" || version == "(devel)" {
		version = "v0.0.0-dev"
	}
	if commit == "" {
		commit = "unknown commit"
	}
	return fmt.Sprintf("%s (%.14s, %s, %s/%s)", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

package programs

// A source is a release of Debian for an architecture.
type source struct {
	suite, debian string   // "bookworm", "armhf"
	platform      string   // "linux/arm/v7"
	packages      []string // beyond the common ones
}

// common are the packages of every root file system.
var common = []string{"bash", "coreutils", "curl", "dash", "grep", "libc-bin", "libstdc++6", "perl-base", "sed"}

// servers are the programs of images that everybody uses, as Debian builds them.
var servers = []string{"nginx-light", "redis-server", "postgresql-15", "python3-minimal", "nodejs", "openjdk-17-jre-headless", "bash", "coreutils", "dash", "libc-bin", "perl-base"}

// sources are the root file systems that cases start from.
var sources = []source{
	{"bookworm", "amd64", "linux/amd64", nil},
	{"bookworm", "arm64", "linux/arm64", nil},
	{"bookworm", "armhf", "linux/arm/v7", nil},
	{"bookworm", "armel", "linux/arm/v5", nil},
	{"bookworm", "i386", "linux/386", nil},
	{"bookworm", "ppc64el", "linux/ppc64le", nil},
	{"trixie", "riscv64", "linux/riscv64", nil},
	{"bookworm", "s390x", "linux/s390x", nil},
}

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const cgroupRoot = "/sys/fs/cgroup"

// makeCgroups makes a cgroup of this name for a kubelet to put its pods in, below each controller.
// It knows the layout of cgroup v1 only.
func makeCgroups(name string) error {
	for _, controller := range []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"} {
		err := os.Mkdir(filepath.Join(cgroupRoot, controller, name), 0o755)
		if errors.Is(err, os.ErrNotExist) && controller == "memory" {
			return fmt.Errorf("making cgroup %s: no cgroup v1 hierarchies below %s; boot with systemd.unified_cgroup_hierarchy=0", name, cgroupRoot)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("making cgroup %s: %w", name, err)
		}
	}
	// A cpuset starts with no processor and no memory, and then takes no process.
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		b, err := os.ReadFile(filepath.Join(cgroupRoot, "cpuset", file))
		if err != nil {
			return fmt.Errorf("making cgroup %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(cgroupRoot, "cpuset", name, file), b, 0o644); err != nil {
			return fmt.Errorf("making cgroup %s: %w", name, err)
		}
	}
	return nil
}

package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// strays are processes that a command has started outside of its process
// group, as kaniko does for each RUN: a signal to the group misses them.
type strays []stray

type stray struct {
	pid   int
	start string // when it began: a number may be given again
}

// straysOf returns those of the command that leads the process group. A daemon
// that has cut its ties, with init as its parent, is none.
func straysOf(group int) strays {
	all := map[int]stat{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		if s, ok := readStat(f); ok {
			all[s.pid] = s
		}
	}
	var found strays
	for pid, s := range all {
		if s.group == group {
			continue
		}
		for up, steps := s.parent, 0; up > 1 && steps < len(all); up, steps = all[up].parent, steps+1 {
			if up == group {
				found = append(found, stray{pid, s.start})
				break
			}
		}
	}
	return found
}

func (s strays) terminate() { s.signal(syscall.SIGTERM) }
func (s strays) kill()      { s.signal(syscall.SIGKILL) }

// left reports whether one still runs.
func (s strays) left() bool {
	for _, p := range s {
		if p.runs() {
			return true
		}
	}
	return false
}

func (s strays) signal(signal syscall.Signal) {
	for _, p := range s {
		if p.runs() {
			syscall.Kill(p.pid, signal)
		}
	}
}

func (p stray) runs() bool {
	s, ok := readStat("/proc/" + strconv.Itoa(p.pid) + "/stat")
	return ok && s.start == p.start && s.state != "Z"
}

// A stat is what proc(5) says of a process.
type stat struct {
	pid, parent, group int
	state, start       string
}

func readStat(path string) (stat, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return stat{}, false
	}
	// The second field is the program's name, in brackets, with any character in it.
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return stat{}, false
	}
	fields := bytes.Fields(b[end+1:])
	if len(fields) < 20 {
		return stat{}, false
	}
	s := stat{state: string(fields[0]), start: string(fields[19])}
	s.pid, _ = strconv.Atoi(filepath.Base(filepath.Dir(path)))
	s.parent, _ = strconv.Atoi(string(fields[1]))
	s.group, _ = strconv.Atoi(string(fields[2]))
	return s, true
}

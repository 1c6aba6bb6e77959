package program

import (
	"path"
	"strings"

	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// runWindows follows what a Windows image starts. What is found is compared
// with the platform; what Windows loads for it is not followed.
func (w *walk) runWindows(argv []string, st state) (all result) {
	for range maxSteps {
		f, ok := w.findWindows(argv[0], st)
		if w.below {
			return all
		}
		if !ok {
			return all.and(doubt("%s is not in the image", argv[0]))
		}
		_, r := w.binary(f, st)
		w.programs = append(w.programs, Program{Found: f})
		all = all.and(r)
		next, ok := windowsCommand(argv)
		if !ok {
			return all.and(doubt("what %s starts is not followed", argv[0]))
		}
		if len(next) == 0 {
			return all
		}
		argv = next
	}
	return all
}

// windowsCommand returns the command that cmd is to run, or none where argv
// starts no other. It is not ok where what is started is not known.
func windowsCommand(argv []string) ([]string, bool) {
	name := strings.TrimSuffix(strings.ToLower(path.Base(strings.ReplaceAll(argv[0], `\`, "/"))), ".exe")
	switch name {
	case "powershell", "pwsh", "wscript", "cscript":
		return nil, len(argv) == 1
	case "cmd":
	default:
		return nil, true
	}
	for n, a := range argv[1:] {
		if l := strings.ToLower(a); l != "/c" && l != "/k" {
			continue
		}
		line := strings.TrimSpace(strings.Join(argv[n+2:], " "))
		if line == "" {
			return nil, true
		}
		if inner, ok := strings.CutPrefix(line, `"`); ok { // cmd /S drops the outer quotes
			if before, after, ok := strings.Cut(inner, `"`); ok && (after == "" || after[0] == ' ') && before != "" {
				return append([]string{before}, strings.Fields(after)...), !strings.ContainsAny(after, "&|<>^%")
			}
		}
		words := strings.Fields(line)
		if strings.ContainsAny(line, "&|<>^%(") {
			return nil, false
		}
		return words, true
	}
	return nil, len(argv) == 1
}

// findWindows finds a program by name in the layers of a Windows image, in
// which drive C: is the folder Files.
func (w *walk) findWindows(name string, st state) (rootfs.Found, bool) {
	dirs := []string{st.cwd}
	if !strings.ContainsAny(name, `\/:`) {
		list := `C:\Windows\System32;C:\Windows`
		for k, v := range st.env {
			if k != "PATH" && strings.EqualFold(k, "PATH") || k == "PATH" && strings.Contains(v, `\`) {
				list = v
			}
		}
		dirs = append(dirs, strings.Split(list, ";")...)
	}
	for _, dir := range dirs {
		p := windowsPath(dir) + "/" + windowsPath(name)
		if strings.ContainsRune(name, ':') || strings.HasPrefix(name, `\`) {
			p = windowsPath(name)
		}
		p = "files" + path.Join("/", p)
		for _, suffix := range []string{"", ".exe"} {
			if suffix != "" && path.Ext(p) != "" {
				continue
			}
			f, err := w.view.Find(p + suffix)
			if err == rootfs.ErrBelow {
				w.below = true
				return f, false
			}
			if err == nil && f.Kind == rootfs.Regular {
				return f, true
			}
		}
	}
	return rootfs.Found{}, false
}

func windowsPath(p string) string {
	p = strings.ToLower(strings.ReplaceAll(p, `\`, "/"))
	if _, after, ok := strings.Cut(p, ":"); ok {
		p = after
	}
	return p
}

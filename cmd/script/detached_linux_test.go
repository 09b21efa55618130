package script

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// endDetached ends the background processes that a script has left behind, such as a sign-in that nobody finishes:
// they carry a home below work on their command line.
func endDetached(work string) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		line, err := os.ReadFile(path)
		pid, nerr := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && nerr == nil && bytes.Contains(line, []byte("--home="+work+"/")) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// commandLines returns the command line of every process that there is.
func commandLines() ([]byte, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	var all []byte
	for _, path := range paths {
		line, _ := os.ReadFile(path) // a process that has just ended has none
		all = append(append(all, line...), '\n')
	}
	return all, err
}

// Package detach starts a process that outlives its caller and inherits nothing of it. What the process does, and how
// its result comes back, is left to the caller.
package detach

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Start runs exe, an absolute path, with args (without the program's name) and exactly env, of which the last entry for
// a name counts. The process has null standard streams, no other handle of ours, no terminal, and a session (Unix) or
// process group (Windows) of its own: neither a host that kills its helper with all of the helper's group nor a closed
// terminal reaches it, and nobody waits for a pipe that it holds. Its working directory is the user's home as env names
// it, else the root, so that it keeps no project directory busy. Start returns once the process exists; its end is
// collected in the background, so a caller that lives on keeps no zombie. Errors are of kind Internal.
func Start(exe string, args []string, env []string) error {
	if !filepath.IsAbs(exe) {
		return credential.Fail(credential.Internal, "the program to start in the background has no absolute path", nil)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return credential.Fail(credential.Internal, "cannot start a background process", err)
	}
	defer null.Close()
	env = lastWins(env)
	root := filepath.VolumeName(exe) + string(filepath.Separator)
	attr := &syscall.ProcAttr{
		Dir:   workingDir(env, root),
		Env:   env,
		Files: []uintptr{null.Fd(), null.Fd(), null.Fd()},
	}
	argv := append([]string{exe}, args...)
	err = start(exe, argv, attr)
	if err != nil && attr.Dir != root { // a home that may not be entered
		attr.Dir = root
		err = start(exe, argv, attr)
	}
	if err != nil {
		return credential.Fail(credential.Internal, "cannot start a background process", err)
	}
	return nil
}

// lastWins drops what a later entry overrides, so that append(os.Environ(), ...) means what it says: a program reads the
// first entry. Entries without a name, which Windows uses for the directories of drives, go too.
func lastWins(env []string) []string {
	seen := map[string]bool{"": true}
	var out []string
	for _, entry := range slices.Backward(env) {
		name, _, _ := strings.Cut(entry, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
		}
		if !seen[name] {
			seen[name] = true
			out = append(out, entry)
		}
	}
	slices.Reverse(out)
	return out
}

// workingDir returns the user's home as env names it if it is a directory, else root.
func workingDir(env []string, root string) string {
	for _, entry := range env {
		dir, ok := strings.CutPrefix(entry, homeVariable+"=")
		if !ok || !filepath.IsAbs(dir) {
			continue
		}
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return root
}

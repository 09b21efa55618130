//go:build unix && !darwin

package main

import (
	"os"
	"syscall"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"golang.org/x/sys/unix"
)

// core replaces this process by the core, which sees the same arguments, under the same name. read is what was taken
// from stdin already: the core gets it again, from memory.
func core(args []string, read []byte) int {
	exe, err := corePath()
	if err == nil && read != nil {
		err = replay(read)
	}
	if err == nil {
		err = syscall.Exec(exe, args, os.Environ())
	}
	return call.Report(os.Stderr, cannotStart(exe, err))
}

// replay makes data the next thing to be read from stdin. It may be a secret to store, so it stays in memory.
func replay(data []byte) error {
	fd, err := unix.MemfdCreate("stdin", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, data); err != nil {
		return err
	}
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return err
	}
	return unix.Dup3(fd, 0, 0)
}

//go:build unix

package core

import (
	"os"

	"golang.org/x/sys/unix"
)

// polled returns f so that a goroutine which waits for it costs no thread, where f is a pipe or a socket: handing a
// message from thread to thread is a good part of what a bridge adds to a call. The flags of a terminal or a file are
// shared with the shell and are left alone.
func polled(f *os.File) *os.File {
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return f
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return f
	}
	fd := -1 // not by Fd, which makes it block
	err = conn.Control(func(handle uintptr) { fd = int(handle) })
	if err != nil {
		return f
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 || unix.SetNonblock(fd, true) != nil {
		return f // what does not block already was polled from the start
	}
	return os.NewFile(uintptr(fd), f.Name())
}

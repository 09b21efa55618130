//go:build unix

package stdio

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Nonblocking returns f, or another file for it, so that a goroutine which waits for it costs no thread, where f is a pipe or
// a socket: handing a message from thread to thread is a good part of what a bridge adds to a call. The flags of a
// terminal or a file are shared with the shell and are left alone. The function ends the use of the other file and has f
// block again, where it did, for whoever else holds that pipe.
func Nonblocking(f *os.File) (*os.File, func()) {
	asItIs := func() {}
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 || endless(info) {
		return f, asItIs
	}
	if f.SetDeadline(time.Time{}) == nil { // it did not block when this process began
		return f, asItIs
	}
	fd, blocked, err := unblock(f)
	if err != nil {
		return f, asItIs
	}
	p := os.NewFile(uintptr(fd), f.Name())
	return p, func() {
		if blocked {
			_ = control(f, func(fd int) error { return unix.SetNonblock(fd, false) })
		}
		_ = p.Close()
	}
}

// unblock returns a second descriptor of f that does not block, and reports whether f did: stdin and stdout may be one
// socket, which then has the flag of the other already.
func unblock(f *os.File) (second int, blocked bool, err error) {
	err = control(f, func(fd int) error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return err
		}
		blocked = flags&unix.O_NONBLOCK == 0
		if second, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return err
		}
		if err = unix.SetNonblock(second, true); err != nil {
			_ = unix.Close(second)
		}
		return err
	})
	return second, blocked, err
}

// control is for what File.Fd would change: it has the file block.
func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// endless reports whether a file is a named pipe of macOS, whose end a poll does not tell (golang.org/issue/24164). The
// pipes of a host have no name, and no link.
func endless(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return runtime.GOOS == "darwin" && ok && info.Mode()&os.ModeNamedPipe != 0 && stat.Nlink > 0
}

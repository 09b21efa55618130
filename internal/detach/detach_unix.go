//go:build unix

package detach

import (
	"os"
	"strconv"
	"syscall"
)

const homeVariable = "HOME"

// start starts the process in a session of its own. It calls syscall rather than os.StartProcess, whose first call in a process forks once more to try out pidfd.
func start(exe string, argv []string, attr *syscall.ProcAttr) error {
	closeOnExec()
	attr.Sys = &syscall.SysProcAttr{Setsid: true}
	pid, _, err := syscall.StartProcess(exe, argv, attr)
	if err == nil {
		go reap(pid)
	}
	return err
}

func reap(pid int) {
	for {
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
			return
		}
	}
}

// firstInherited is the lowest descriptor that is no standard stream.
const firstInherited = 3

// markListed marks the descriptors that dir lists close-on-exec; where it cannot be read, every number up to the limit
// on open files, of which most name nothing. Go marks its own descriptors; these are the ones that our caller left open
// in us, such as the far end of a pipe that it reads until everybody has closed it.
func markListed(dir string) {
	names, err := listNames(dir)
	if err != nil {
		markNumbers()
		return
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd >= firstInherited {
			syscall.CloseOnExec(fd)
		}
	}
}

func listNames(dir string) ([]string, error) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Readdirnames(-1)
}

func markNumbers() {
	limit := syscall.Rlimit{Cur: 1 << 10}
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	for fd := firstInherited; fd < int(min(limit.Cur, 1<<16)); fd++ {
		syscall.CloseOnExec(fd)
	}
}

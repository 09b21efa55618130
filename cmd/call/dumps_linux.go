package call

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// RefuseDumps keeps the memory of this process from core dumps, and from debuggers and /proc readers of the same user
// (PR_SET_DUMPABLE, prctl(2)). A debugger that started the process stays, and an administrator may still attach. Programs
// that this one starts write no core dumps either (RLIMIT_CORE), unless they raise their limit themselves. A main calls it
// first: exec undoes the first half.
func RefuseDumps() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // what refuses it is a filter of system calls, which we cannot help
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CORE, &limit) == nil && limit.Cur != 0 {
		limit.Cur = 0
		_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit)
	}
}

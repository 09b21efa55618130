package call

import (
	"os"

	"golang.org/x/sys/unix"
)

// traced is P_TRACED of sys/proc.h: a debugger started this process, or is attached to it.
const traced = 0x800

// RefuseDumps keeps the memory of this process from core dumps (RLIMIT_CORE, which programs that it starts inherit) and
// from debuggers of the same user (PT_DENY_ATTACH, ptrace(2)). A debugger that started the process stays; the system would
// end the process otherwise. A main calls it first.
func RefuseDumps() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil && limit.Cur != 0 {
		limit.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit)
	}
	if self, err := unix.SysctlKinfoProc("kern.proc.pid", os.Getpid()); err == nil && self.Proc.P_flag&traced == 0 {
		_ = unix.PtraceDenyAttach()
	}
}

package detach

import (
	"math"

	"golang.org/x/sys/unix"
)

// closeOnExec marks every inherited descriptor close-on-exec. close_range(2) with CLOSE_RANGE_CLOEXEC is Linux 5.11;
// older kernels and some seccomp filters refuse it.
func closeOnExec() {
	if unix.CloseRange(firstInherited, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) != nil {
		markListed("/proc/self/fd")
	}
}

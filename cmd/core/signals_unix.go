//go:build unix

package core

import (
	"os"
	"syscall"
)

// endingSignals are those that end a Go program (os/signal, "Default behavior of signals in Go programs"), but for SIGKILL,
// and SIGPIPE: a terminal that is closed also breaks stderr.
func endingSignals() []os.Signal {
	return []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE, syscall.SIGABRT, syscall.SIGTRAP,
		syscall.SIGSYS, syscall.SIGILL, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, stackFault}
}

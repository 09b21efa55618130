package core

import (
	"os"
	"syscall"
)

// endingSignals are Ctrl-C and Ctrl-Break, and the closing of the console, after which Windows grants five seconds.
func endingSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

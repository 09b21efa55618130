//go:build unix && !linux

package core

import "syscall"

// stackFault is a signal that Linux alone has.
const stackFault = syscall.SIGTERM

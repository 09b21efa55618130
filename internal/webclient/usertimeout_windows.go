package webclient

import (
	"syscall"
	"time"
)

// tcpMaxRT is TCP_MAXRT (ws2ipdef.h), which x/sys does not name.
const tcpMaxRT = 5

// setUserTimeout sets how long written data may stay unacknowledged (IPPROTO_TCP socket options, TCP_MAXRT).
func setUserTimeout(fd uintptr, after time.Duration) {
	_ = syscall.SetsockoptInt(syscall.Handle(fd), syscall.IPPROTO_TCP, tcpMaxRT, int(after.Seconds()))
}

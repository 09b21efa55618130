package webclient

import (
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout sets how long written data may stay unacknowledged (tcp(7), TCP_USER_TIMEOUT).
func setUserTimeout(fd uintptr, after time.Duration) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(after.Milliseconds()))
}

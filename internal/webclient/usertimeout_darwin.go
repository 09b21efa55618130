package webclient

import (
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout sets how long written data may stay unacknowledged (TCP_RXT_CONNDROPTIME in netinet/tcp.h).
func setUserTimeout(fd uintptr, after time.Duration) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RXT_CONNDROPTIME, int(after.Seconds()))
}

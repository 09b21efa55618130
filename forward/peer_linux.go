package forward

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// checkPeer reports whether the process that listens at the other end of conn is this user's. The kernel says so, whatever has
// become of the path since it was looked at.
func checkPeer(conn net.Conn) error {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); cerr != nil {
		return cerr
	}
	if err == nil && int(peer.Uid) != os.Geteuid() {
		err = errors.New("another user's process listens there")
	}
	return err
}

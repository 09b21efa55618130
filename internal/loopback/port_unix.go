//go:build unix

package loopback

import (
	"errors"
	"syscall"
)

// inUse reports whether a port is somebody else's.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

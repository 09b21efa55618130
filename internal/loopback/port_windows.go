package loopback

import (
	"errors"

	"golang.org/x/sys/windows"
)

// inUse reports whether a port is somebody else's. One that the system has reserved is WSAEACCES: its text says that.
func inUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

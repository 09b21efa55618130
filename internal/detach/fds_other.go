//go:build unix && !linux

package detach

// closeOnExec marks every inherited descriptor close-on-exec.
func closeOnExec() { markListed("/dev/fd") }

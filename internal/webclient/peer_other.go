//go:build !linux && !darwin && !windows

package webclient

import "time"

// giveUp leaves the system its own limit.
func giveUp(uintptr, time.Duration) {}

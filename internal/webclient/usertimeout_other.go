//go:build !linux && !darwin && !windows

package webclient

import "time"

// setUserTimeout leaves the system its own limit.
func setUserTimeout(uintptr, time.Duration) {}

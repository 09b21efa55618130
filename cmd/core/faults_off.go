//go:build !faults

package core

// injectFaults does nothing outside tests.
func injectFaults(*wiring) {}

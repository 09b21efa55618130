//go:build !linux

package script

// endDetached leaves background processes to their own deadlines: without /proc nobody can tell whose they are.
func endDetached(string) {}

// commandLines is Linux's.
func commandLines() ([]byte, error) { return nil, nil }

//go:build !linux

package cache

// Holder returns the process that holds the lock at path; 0: nobody, or it is not to be known.
func Holder(string) int { return 0 }

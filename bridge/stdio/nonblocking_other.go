//go:build !unix

package stdio

import "os"

// Nonblocking returns f as it is: the system has no such choice for the handles that a process is started with.
func Nonblocking(f *os.File) (*os.File, func()) { return f, func() {} }

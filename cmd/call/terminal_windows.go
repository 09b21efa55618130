package call

import (
	"os"

	"golang.org/x/sys/windows"
)

// Terminal reports whether f is a console.
func Terminal(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil
}

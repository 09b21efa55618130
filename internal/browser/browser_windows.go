package browser

import (
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"
)

// detached keeps a console window from flashing up.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{HideWindow: true} }

// desktop returns the shell's URL handler by its full path: cmd's start would read "&" in the URL as a command.
func desktop(func(string) string) (string, []string, error) {
	system, err := windows.GetSystemDirectory()
	return filepath.Join(system, "rundll32.exe"), []string{"url.dll,FileProtocolHandler"}, err
}

func hasDesktop(getenv func(string) string) bool { return !overSSH(getenv) }

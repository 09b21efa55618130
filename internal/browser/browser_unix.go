//go:build unix && !darwin

package browser

import (
	"os"
	"strings"
	"syscall"
)

// detached gives the opener a session of its own, so that it survives our terminal.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func desktop(getenv func(string) string) (string, []string, error) {
	if subsystem() {
		if path, err := firstFound("wslview"); err == nil {
			return path, nil, nil
		}
		path, err := firstFound("rundll32.exe")
		return path, []string{"url.dll,FileProtocolHandler"}, err
	}
	path, err := firstFound("xdg-open", "x-www-browser", "www-browser")
	return path, nil, err
}

// hasDesktop also takes the display that SSH forwards (localhost:10.0) for one, but over SSH no display of this machine.
func hasDesktop(getenv func(string) string) bool {
	display := getenv("DISPLAY")
	if overSSH(getenv) {
		host, _, _ := strings.Cut(display, ":")
		return host != "" && host != "unix"
	}
	return display != "" || getenv("WAYLAND_DISPLAY") != "" || subsystem()
}

// subsystem reports whether this is Linux on Windows, where the browser is the one of Windows.
func subsystem() bool {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	return err == nil && strings.Contains(strings.ToLower(string(release)), "microsoft")
}

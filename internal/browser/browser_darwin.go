package browser

import "syscall"

// detached gives the opener a session of its own, so that it survives our terminal.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func desktop(func(string) string) (string, []string, error) { return "/usr/bin/open", nil, nil }

func hasDesktop(getenv func(string) string) bool { return !overSSH(getenv) }

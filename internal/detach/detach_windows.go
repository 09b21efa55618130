package detach

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

const homeVariable = "USERPROFILE"

// start starts the process without a console and, where the job that we run in allows it, outside that job: a host that
// closes its job ends everything in it. Only the handles of attr.Files are inherited: syscall.StartProcess lists them
// for CreateProcess.
func start(exe string, argv []string, attr *syscall.ProcAttr) error {
	const flags = windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP
	attr.Sys = &syscall.SysProcAttr{HideWindow: true, CreationFlags: flags | windows.CREATE_BREAKAWAY_FROM_JOB}
	_, handle, err := syscall.StartProcess(exe, argv, attr)
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		attr.Sys.CreationFlags = flags
		_, handle, err = syscall.StartProcess(exe, argv, attr)
	}
	if err != nil {
		return err
	}
	return windows.CloseHandle(windows.Handle(handle))
}

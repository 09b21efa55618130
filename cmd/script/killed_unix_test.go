//go:build unix

package script

import (
	"os"
	"strconv"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// ownGroup: own-group FILE PROG ARG... runs a program in a process group of its own, as hosts do with their helpers, and
// writes the group's number to FILE.
func ownGroup() {
	cmd := pass(os.Args[2:])
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := cmd.Start()
	if err == nil {
		err = os.WriteFile(os.Args[1], []byte(strconv.Itoa(cmd.Process.Pid)), 0o600)
	}
	if err != nil {
		end(err)
	}
	end(cmd.Wait())
}

// killGroup FILE kills every process of the group in FILE at once, as a host does after its ten seconds.
func killGroup(ts *testscript.TestScript, args []string) {
	group, err := strconv.Atoi(ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(syscall.Kill(-group, syscall.SIGKILL))
}

func systemPrograms() map[string]func() { return map[string]func(){"own-group": ownGroup} }

func systemCommands() map[string]command {
	return map[string]command{"kill-group": plainly(killGroup)}
}

package testsupport

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// roleVariable names what a test binary that was started again does.
const roleVariable = "TEST_ROLE"

// RoleVariable is what the environment of a process says that plays a role.
func RoleVariable(role string) string { return roleVariable + "=" + role }

// Run runs the tests, or the role that this process was started for with its arguments, and returns the exit code. What
// a role fails with goes to errors.
func Run(m *testing.M, errors io.Writer, roles map[string]func(args []string) error) int {
	play := roles[os.Getenv(roleVariable)]
	if play == nil {
		return m.Run()
	}
	if err := play(os.Args[1:]); err != nil {
		fmt.Fprintln(errors, err)
		return 1
	}
	return 0
}

// Role returns the command that plays a role of this test binary in another process.
func Role(t testing.TB, role string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), RoleVariable(role), "GORACE=atexit_sleep_ms=0") // else each exit takes a second under -race
	return cmd
}

package script

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// TestLinuxScripts runs what needs mounts, foreign files or a terminal of its own.
func TestLinuxScripts(t *testing.T) {
	need(t, exec.Command("unshare", "--mount", "mount", "-t", "tmpfs", "none", t.TempDir()), "mounts in a namespace of their own (root and CAP_SYS_ADMIN)")
	runScripts(t, "testdata/linux")
}

// need skips a test where a command fails, and names what is missing; in CI that is a failure.
func need(t *testing.T, cmd *exec.Cmd, what string) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		testsupport.Missing(t, fmt.Sprintf("%s: %v: %s", what, err, out))
	}
}

//go:build fleet && linux

package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// programs is the folder of the built ones.
var programs string

func bin(name string) string { return filepath.Join(programs, name) }

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	programs = dir
	compile := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../../cmd/...", "../../internal/fakeworld/cmd/fakeworld")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	faulty := exec.Command("go", "build", "-tags", "faults", "-o", filepath.Join(dir, "faulty")+string(filepath.Separator), "../../cmd/mcp-credential-core")
	faulty.Env = compile.Env
	for _, c := range []*exec.Cmd{compile, faulty} {
		if out, err := c.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("%w\n%s", err, out)
		}
	}
	if err := os.Symlink("fakeworld", bin("fakebrowser")); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

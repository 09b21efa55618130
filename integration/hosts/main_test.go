//go:build hosts && linux

package hosts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs is the folder of the built ones.
var programs string

func bin(name string) string { return filepath.Join(programs, name) }

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hosts:", err)
		code = 1
	}
	os.Exit(code)
}

// run builds our programs and has npm fetch the hosts, before tests start several of them.
func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "hosts")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	programs = dir
	compile := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../../cmd/...", "../../internal/fakeworld/cmd/fakeworld")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	for _, c := range []*exec.Cmd{compile, exec.Command("../../scripts/hosts/install.sh"), exec.Command("../../scripts/conformance/node.sh", "install")} {
		if out, err := c.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, out)
		}
	}
	if err := os.Symlink("fakeworld", bin("fakebrowser")); err != nil {
		return 1, err
	}
	for _, h := range hosts {
		fmt.Printf("%s %s\n", h.name, h.version())
	}
	return m.Run(), nil
}

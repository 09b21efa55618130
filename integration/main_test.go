//go:build integration && linux

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// binVariable names the folder of the built programs for the tests of this process.
const binVariable = "INTEGRATION_BIN"

// roleVariable makes a child of the test binary something else than a test; see roles.
const roleVariable = "INTEGRATION_ROLE"

func TestMain(m *testing.M) {
	if role := roles()[os.Getenv(roleVariable)]; role != nil {
		os.Exit(role())
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if err := needPrograms(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "mcpbin")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return 1, err
	}
	if err := os.Setenv(binVariable, dir); err != nil {
		return 1, err
	}
	code := m.Run()
	printTimes(dir)
	return code, nil
}

// needPrograms names every missing component at once.
func needPrograms() error {
	var missing []string
	for _, name := range []string{"dbus-run-session", "gnome-keyring-daemon", "gdbus", "secret-tool", "pass", "gpg", "git", "npm", "zsh", "fish", "mandoc", "curl", "cargo", "ssh", "unshare", "setpriv", "useradd"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not installed: %s", strings.Join(missing, ", "))
	}
	return nil
}

// raceVariable, set to anything, has the programs built with the race detector. It needs a C compiler.
const raceVariable = "INTEGRATION_RACE"

func detectsRaces() bool { return os.Getenv(raceVariable) != "" }

func buildArgs() []string {
	if detectsRaces() {
		return []string{"build", "-race"}
	}
	return []string{"build"}
}

// build makes both programs, a core that can be told to go wrong, their links, the fake world with its browser and the driver of the conformance suite; and
// installs the real authorization server and the packages of npm once, before tests start several of them.
func build(dir string) error {
	compile := exec.Command("go", append(buildArgs(), "-o", dir+string(filepath.Separator),
		"../cmd/mcp-credential", "../cmd/mcp-credential-core", "../internal/fakeworld/cmd/fakeworld", "../scripts/conformance/driver")...)
	compile.Env = os.Environ()
	if !detectsRaces() {
		compile.Env = append(compile.Env, "CGO_ENABLED=0")
	}
	faulty := exec.Command("go", "build", "-tags", "faults", "-o", filepath.Join(dir, "faulty")+string(filepath.Separator), "../cmd/mcp-credential-core")
	faulty.Env = append(os.Environ(), "CGO_ENABLED=0")
	for _, c := range []*exec.Cmd{compile, faulty, buildClients(dir), exec.Command(providerScript, "install"), exec.Command(nodeScript, "install")} {
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, out)
		}
	}
	for link, to := range map[string]string{
		"git-credential-mcp": "mcp-credential", "docker-credential-mcp": "mcp-credential", "cargo-credential-mcp": "mcp-credential", "fakebrowser": "fakeworld",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			return err
		}
	}
	return nil
}

// bin is the path of a built program.
func bin(name string) string { return filepath.Join(os.Getenv(binVariable), name) }

// timesFile collects what measure is told.
const timesFile = "times"

// measure adds a row to the table that a verbose run ends with.
func measure(t *testing.T, what string, took time.Duration) {
	t.Helper()
	f, err := os.OpenFile(bin(timesFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "%-64s %8.1f ms\n", what, float64(took.Microseconds())/1000)
}

func printTimes(dir string) {
	data, err := os.ReadFile(filepath.Join(dir, timesFile))
	if err != nil || !testing.Verbose() {
		return
	}
	rows := strings.SplitAfter(string(data), "\n")
	slices.Sort(rows)
	fmt.Println("\nmeasured, whole processes:\n" + strings.Join(rows, ""))
}

// eventually polls ok until it holds.
func eventually(t *testing.T, what string, within time.Duration, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(within); !ok(); <-ticker.C {
		if time.Now().After(end) {
			t.Fatalf("within %v it did not happen: %s", within, what)
		}
	}
}

// Package script runs the product's programs the way people and hosts run them: one txtar script in testdata for each
// behaviour that can be seen from outside. The programs are real, the authorization server is internal/fakeworld, and
// nothing of the user's own is touched. What one package does by itself is left to that package's tests.
package script

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/internal/home"
)

// Scripts that need nothing but Go run everywhere; the others are in a folder that says where.
const (
	anySystem = "testdata/any"
	module    = "github.com/mcp-credential/mcp-credential/"
)

func TestMain(m *testing.M) {
	programs := map[string]func(){"open-stdin": openStdin, "within": within, "race": race, "alone": alone, "mksocket": makeSocket}
	maps.Copy(programs, systemPrograms())
	testscript.Main(suite{m}, programs)
}

// suite builds the programs before the tests run, and puts them on PATH.
type suite struct{ m *testing.M }

// Run returns the exit code for the test binary.
func (s suite) Run() int {
	bin, err := os.MkdirTemp("", "mcp-credential-bin")
	if err == nil {
		defer os.RemoveAll(bin)
		err = build(bin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot build the programs under test:", err)
		return 1
	}
	os.Setenv("GOTMPDIR", bin)               // where testscript works; it leaves its folder behind when only some scripts run
	os.Setenv("GORACE", "atexit_sleep_ms=0") // or each of our programs takes a second longer under -race
	os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return s.m.Run()
}

// watch reads every folder of sources: so the go command, which knows what a test reads but not what the programs that
// it starts do, forgets a cached result when a source changes. It counts only what is read while tests run.
func watch(root string) error {
	return filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == root || !d.IsDir() {
			return err
		}
		if name := d.Name(); strings.HasPrefix(name, ".") || name == "node_modules" || name == "bin" {
			return filepath.SkipDir
		}
		return nil
	})
}

// build makes the two programs of the product, the fake world, and their other names.
func build(bin string) error {
	cmd := exec.Command("go", "build", "-o", bin+string(os.PathSeparator),
		module+"cmd/mcp-credential", module+"cmd/mcp-credential-core", module+"internal/fakeworld/cmd/fakeworld")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	for name, program := range map[string]string{
		"git-credential-mcp": "mcp-credential", "docker-credential-mcp": "mcp-credential", "cargo-credential-mcp": "mcp-credential", "fakebrowser": "fakeworld",
	} {
		if err := os.Link(filepath.Join(bin, program+exe()), filepath.Join(bin, name+exe())); err != nil {
			return err
		}
	}
	return nil
}

func exe() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

func TestScripts(t *testing.T) { runScripts(t, anySystem) }

// runScripts runs every script of a folder. testscript fails where there is none.
func runScripts(t *testing.T, dir string) {
	t.Helper()
	if err := watch("../.."); err != nil {
		t.Fatal(err)
	}
	cmds := commands()
	maps.Copy(cmds, systemCommands())
	testscript.Run(t, testscript.Params{
		Dir: dir, Setup: setup, Cmds: cmds, RequireUniqueNames: true, RequireExplicitExec: true,
	})
}

// passphrase opens the encrypted file that every script has for a keychain.
const passphrase = "only for tests\n"

// setup gives a script a home, a keychain and a browser of its own, and next to nothing of the caller's environment.
func setup(e *testscript.Env) error {
	work := e.WorkDir
	if err := os.WriteFile(filepath.Join(work, "passphrase"), []byte(passphrase), 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(work, "home"), 0o700); err != nil {
		return err
	}
	for name, value := range map[string]string{
		homeVariable:              filepath.Join(work, "home"),
		"MCPCRED_HOME":            filepath.Join(work, "cred"),
		"MCPCRED_STORE":           "file",
		"MCPCRED_PASSPHRASE_FILE": filepath.Join(work, "passphrase"),
		"BROWSER":                 "fakebrowser",
		"FAKEBROWSER_LOG":         filepath.Join(work, "tabs"),
		"FAKEBROWSER_PAGE":        filepath.Join(work, "page"),
	} {
		e.Setenv(name, value)
	}
	if root := os.Getenv("SYSTEMROOT"); root != "" {
		e.Setenv("SYSTEMROOT", root) // Windows opens no socket without it
	}
	e.Values[keyT], e.Values[keySnapshot], e.Values[keyForward] = e.T(), new(map[string]string), new(func())
	e.Defer(func() {
		endDetached(work)
		coolDown(work)
	})
	return nil
}

// coolDown removes the hot keys of the homes below work, which the system would keep for as long as a token lives.
func coolDown(work string) {
	for _, depth := range []string{"*", "*/.*"} {
		records, _ := filepath.Glob(filepath.Join(work, depth, "signins", "*.json"))
		for _, record := range records {
			dir, err := home.Find(filepath.Dir(filepath.Dir(record)), os.Getenv)
			if err == nil {
				_ = cache.SystemKeys(dir.ID).Drop(strings.TrimSuffix(filepath.Base(record), ".json"))
			}
		}
	}
}

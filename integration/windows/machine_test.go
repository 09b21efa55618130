//go:build wine && linux

// Package windows runs the Windows programs under wine, from sign-in to sign-out, and the Go tests of the packages that have a
// file of their own for Windows. What wine does not show is in docs/development.md.
package windows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// programsVariable names the folder of the built programs for the tests of this process.
const programsVariable = "WINDOWS_PROGRAMS"

func TestMain(m *testing.M) {
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "windows:", err)
		code = 1
	}
	os.Exit(code)
}

// setUp makes a prefix of wine, with the one DLL that wine 8 lacks and Go needs, and the programs.
func setUp(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "windows")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	for name, value := range map[string]string{
		"WINEPREFIX": filepath.Join(dir, "prefix"), "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "bcryptprimitives=n,b;mscoree=;mshtml=",
		programsVariable: filepath.Join(dir, "bin"),
	} {
		if err := os.Setenv(name, value); err != nil {
			return 1, err
		}
	}
	system := filepath.Join(dir, "prefix", "drive_c", "windows", "system32")
	steps := []*exec.Cmd{
		exec.Command("wine", "wineboot", "-i"),
		exec.Command("x86_64-w64-mingw32-gcc", "-shared", "-o", filepath.Join(system, "bcryptprimitives.dll"), "testdata/bcryptprimitives.c", "-ladvapi32"),
		build("build", "-o", filepath.Join(dir, "bin")+"/", "../../cmd/mcp-credential", "../../cmd/mcp-credential-core"),
	}
	for _, c := range steps {
		words, err := os.Create(filepath.Join(dir, "words")) // no pipe: what wine leaves behind would hold it open
		if err != nil {
			return 1, err
		}
		c.Stdout, c.Stderr = words, words
		err = c.Run()
		_ = words.Close()
		if err != nil {
			out, _ := os.ReadFile(words.Name())
			return 1, fmt.Errorf("%s: %w\n%s", c.Args, err, out)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "bin", "mcp-credential.exe"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "bin", "git-credential-mcp.exe"), data, 0o755)
	}
	if err != nil {
		return 1, err
	}
	defer exec.Command("wineserver", "-k").Run() // ours alone: it belongs to the prefix
	return m.Run(), nil
}

// build is go with args, for Windows.
func build(args ...string) *exec.Cmd {
	c := exec.Command("go", args...)
	c.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	return c
}

// limit bounds every program: wine on a busy machine takes its time.
const limit = 90 * time.Second

// machine is a user of Windows with a home of our own.
type machine struct {
	t    *testing.T
	home string // as Windows names it
	env  []string
}

// newMachine has its sign-ins in the Credential Manager, in a home called name.
func newMachine(t *testing.T, name string) *machine {
	t.Helper()
	return &machine{t: t, home: `Z:` + strings.ReplaceAll(filepath.Join(t.TempDir(), name), "/", `\`)}
}

// result is how a program ended.
type result struct {
	stdout, stderr string
	code           int
}

// command is a program of ours with arguments.
func (m *machine) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "wine", append([]string{filepath.Join(os.Getenv(programsVariable), program+".exe")}, args...)...)
	c.Env = append(os.Environ(), "MCPCRED_HOME="+m.home)
	c.Env = append(c.Env, m.env...)
	return c
}

// run runs mcp-credential with text for stdin.
func (m *machine) run(stdin string, args ...string) result {
	return m.start("mcp-credential", stdin, args...)
}

func (m *machine) start(program, stdin string, args ...string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), limit)
	defer cancel()
	c := m.command(ctx, program, args...)
	var out, words bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &words
	err := c.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) || ctx.Err() != nil {
		m.t.Fatalf("%s: %v, %v\n%s", args, err, ctx.Err(), words.String())
	}
	return result{out.String(), words.String(), c.ProcessState.ExitCode()}
}

// must runs a command that has to end well, and returns what it printed.
func (m *machine) must(stdin string, args ...string) string {
	m.t.Helper()
	r := m.run(stdin, args...)
	if r.code != 0 {
		m.t.Fatalf("%s: exit %d\n%s", args, r.code, r.stderr)
	}
	return r.stdout
}

// world is an authorization server as strict as the strictest.
func world(t *testing.T, o fakeworld.Options) *fakeworld.World {
	t.Helper()
	o.Rotate, o.RevokeOnReuse = true, true
	w, err := fakeworld.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

var address = regexp.MustCompile(`(?m)^(http://\S+/authorize\S+?)\r?$`)

// signIn signs in by pasting where the browser ended, with the line end of Windows.
func (m *machine) signIn(w *fakeworld.World, more ...string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), limit)
	defer cancel()
	c := m.command(ctx, "mcp-credential", append([]string{"login", "--no-browser", w.ServerURL()}, more...)...)
	stdin, err := c.StdinPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	words := &watched{}
	c.Stderr = words
	if err := c.Start(); err != nil {
		m.t.Fatal(err)
	}
	url := words.await(m.t, address)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(url)
	if err != nil {
		m.t.Fatal(err)
	}
	_ = resp.Body.Close()
	_, _ = io.WriteString(stdin, resp.Header.Get("Location")+"\r\n")
	_ = stdin.Close()
	if err := c.Wait(); err != nil {
		m.t.Fatalf("login: %v\n%s", err, words.text())
	}
}

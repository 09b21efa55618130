//go:build fleet && linux

package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// fleet is machines with a database and a key in common, and an authorization server that revokes on reuse.
type fleet struct {
	t     *testing.T
	db    *testsupport.Postgres
	world *fakeworld.World
	key   string
}

func newFleet(t *testing.T, change ...func(*fakeworld.Options)) *fleet {
	t.Helper()
	o := fakeworld.Options{Rotate: true, RevokeOnReuse: true}
	for _, c := range change {
		c(&o)
	}
	w, err := fakeworld.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	f := &fleet{t: t, db: testsupport.StartPostgres(t), world: w, key: filepath.Join(t.TempDir(), "fleet.key")}
	f.db.SQL("postgres", "create database fleet")
	m := f.machine()
	m.must("fleet", "key", f.key)
	m.configure(f.db.URL("postgres", "fleet", ""))
	m.must("fleet", "init")
	return f
}

// machine is one with an empty home, the key and the URL of the database.
type machine struct {
	f    *fleet
	home string
}

func (f *fleet) machine() *machine {
	f.t.Helper()
	home, err := os.MkdirTemp("", "m")
	if err != nil {
		f.t.Fatal(err)
	}
	m := &machine{f, home}
	f.t.Cleanup(func() {
		m.kill()
		_ = os.RemoveAll(home)
	})
	m.configure(f.db.URL("postgres", "fleet", ""))
	return m
}

// configure writes all that a machine of the fleet has to be told.
func (m *machine) configure(url string) {
	m.f.t.Helper()
	dir := filepath.Join(m.home, ".mcp-credential")
	config := fmt.Sprintf("store = \"postgres\"\npostgres_url_file = %q\nfleet_key_file = %q\n", filepath.Join(m.home, "url"), m.f.key)
	err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o600),
		os.WriteFile(filepath.Join(m.home, "url"), []byte(url+"\n"), 0o600))
	if err != nil {
		m.f.t.Fatal(err)
	}
}

// result is how a program ended.
type result struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

func (r result) String() string { return fmt.Sprintf("exit %d after %v\n%s", r.code, r.took, r.stderr) }

func (m *machine) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	m.f.t.Cleanup(cancel)
	c := exec.CommandContext(ctx, bin("mcp-credential"), args...)
	c.Env = []string{"HOME=" + m.home, "PATH=" + os.Getenv("PATH"), "BROWSER=" + bin("fakebrowser")}
	return c
}

func (m *machine) run(args ...string) result {
	c := m.command(args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	began := time.Now()
	_ = c.Run()
	return result{strings.TrimSpace(stdout.String()), stderr.String(), c.ProcessState.ExitCode(), time.Since(began)}
}

func (m *machine) must(args ...string) string {
	m.f.t.Helper()
	r := m.run(args...)
	if r.code != 0 {
		m.f.t.Fatalf("%s: %v", strings.Join(args, " "), r)
	}
	return r.stdout
}

func (m *machine) get(more ...string) result {
	return m.run(append([]string{"get", "--prompt", "never", m.f.world.ServerURL()}, more...)...)
}

// pids are the processes of this machine: those with its home in their environment.
func (m *machine) pids() (out []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		env, err := os.ReadFile(path)
		if pid, perr := strconv.Atoi(strings.Split(path, "/")[2]); err == nil && perr == nil && strings.Contains("\x00"+string(env), "\x00HOME="+m.home+"\x00") {
			out = append(out, pid)
		}
	}
	return out
}

// kill kills every process of this machine.
func (m *machine) kill() {
	for _, pid := range m.pids() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// accepts reports whether the protected server takes a token.
func (f *fleet) accepts(token string) bool {
	f.t.Helper()
	r, err := http.NewRequest(http.MethodPost, f.world.ServerURL(), strings.NewReader("{}"))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	_ = a.Body.Close()
	return a.StatusCode == http.StatusOK
}

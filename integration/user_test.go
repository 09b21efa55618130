//go:build integration && linux

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/state"
)

// user is somebody's account on this machine: a HOME of its own, and the environment that its programs get.
type user struct {
	t    *testing.T
	home string
	env  map[string]string
}

// newUser makes an account whose configuration chooses the encrypted file; more is appended to the configuration.
func newUser(t *testing.T, more ...string) *user {
	t.Helper()
	u := bareUser(t)
	u.write("passphrase", "correct horse battery staple\n")
	u.configure(append([]string{`store = "file"`, `passphrase_file = "` + u.path("passphrase") + `"`}, more...)...)
	return u
}

// bareUser makes an account without a configuration.
func bareUser(t *testing.T) *user {
	t.Helper()
	home, err := os.MkdirTemp("", "mcp") // short: sockets in it have names of at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	u := &user{t: t, home: home, env: map[string]string{"HOME": home, "PATH": os.Getenv("PATH"), "BROWSER": bin("fakebrowser")}}
	t.Cleanup(u.leave)
	return u
}

// leave ends what still runs for this account, and removes it.
func (u *user) leave() {
	for _, pid := range u.detached("") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	eventually(u.t, "the detached processes end", 10*time.Second, func() bool { return len(u.detached("")) == 0 })
	if err := os.RemoveAll(u.home); err != nil {
		u.t.Error(err)
	}
}

func (u *user) path(elem ...string) string {
	return filepath.Join(append([]string{u.home}, elem...)...)
}

// dir is the product's directory.
func (u *user) dir(elem ...string) string {
	return u.path(append([]string{".mcp-credential"}, elem...)...)
}

func (u *user) write(name, text string) {
	u.t.Helper()
	path := u.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) configure(lines ...string) {
	u.t.Helper()
	u.write(".mcp-credential/config.toml", strings.Join(lines, "\n")+"\n")
}

// with is the same account seen from another environment: "NAME=value" sets a variable, "NAME" alone removes it.
func (u *user) with(changes ...string) *user {
	other := *u
	other.env = map[string]string{}
	for k, v := range u.env {
		other.env[k] = v
	}
	for _, c := range changes {
		name, value, set := strings.Cut(c, "=")
		other.env[name] = value
		if !set {
			delete(other.env, name)
		}
	}
	return &other
}

func (u *user) environ() []string {
	var out []string
	for k, v := range u.env {
		out = append(out, k+"="+v)
	}
	return out
}

// result is how a program ended.
type result struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

// programLimit bounds every program that the tests run.
const programLimit = time.Minute

func (u *user) command(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(u.t.Context(), programLimit)
	u.t.Cleanup(cancel)
	c := exec.CommandContext(ctx, name, args...)
	c.Env, c.Dir = u.environ(), u.home
	return c
}

// finish runs a command to its end. A program that cannot be run or is killed is a failure of the test.
func (u *user) finish(c *exec.Cmd) result {
	u.t.Helper()
	var out, words bytes.Buffer
	c.Stdout = &out
	if c.Stderr == nil {
		c.Stderr = &words
	}
	began := time.Now()
	err := c.Run()
	r := result{stdout: out.String(), stderr: words.String(), took: time.Since(began)}
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.Exited() {
		r.code = ended.ExitCode()
	} else if err != nil {
		u.t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, r.stderr)
	}
	return r
}

// run runs mcp-credential.
func (u *user) run(args ...string) result {
	u.t.Helper()
	return u.finish(u.command(bin("mcp-credential"), args...))
}

// say runs a program with stdin.
func (u *user) say(stdin, name string, args ...string) result {
	u.t.Helper()
	c := u.command(name, args...)
	c.Stdin = strings.NewReader(stdin)
	return u.finish(c)
}

// must runs mcp-credential, which has to succeed, and returns its stdout without the last line's end.
func (u *user) must(args ...string) string {
	u.t.Helper()
	r := u.run(args...)
	if r.code != 0 {
		u.t.Fatalf("%v ended with %d:\n%s", args, r.code, r.stderr)
	}
	return strings.TrimSuffix(r.stdout, "\n")
}

// refused wants the exit code, nothing on stdout, and one sentence with at most one hint on stderr, which must hold
// every word.
func (u *user) refused(r result, code int, words ...string) {
	u.t.Helper()
	lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
	if r.code != code || r.stdout != "" || len(lines) > 2 || !strings.HasPrefix(r.stderr, "mcp-credential: ") {
		u.t.Errorf("exit code %d (want %d), stdout %q, stderr:\n%s", r.code, code, r.stdout, r.stderr)
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			u.t.Errorf("stderr says nothing of %q:\n%s", w, r.stderr)
		}
	}
}

// line is what status says about a server.
func (u *user) line(server string) helper.Line {
	u.t.Helper()
	for _, l := range u.status() {
		if l.Server == server {
			return l
		}
	}
	u.t.Fatalf("status does not know %s", server)
	return helper.Line{}
}

func (u *user) status() []helper.Line {
	u.t.Helper()
	var all []helper.Line
	if err := json.Unmarshal([]byte(u.must("status", "-o", "json")), &all); err != nil {
		u.t.Fatal(err)
	}
	return all
}

// signIn is the record of the one sign-in of this account.
func (u *user) signIn() state.SignIn {
	u.t.Helper()
	files, _ := filepath.Glob(u.dir("signins", "*.json"))
	if len(files) != 1 {
		u.t.Fatalf("%d sign-ins", len(files))
	}
	var s state.SignIn
	data, err := os.ReadFile(files[0])
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		u.t.Fatal(err)
	}
	return s
}

// detached are the processes that work for this account's directory, without the callers; command "" means any.
func (u *user) detached(command string) []int {
	var out []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		data, err := os.ReadFile(file)
		args := strings.Split(string(data), "\x00")
		if err != nil || len(args) < 3 || !bytes.Contains(data, []byte("\x00--home="+u.dir()+"\x00")) || command != "" && args[1] != command {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

// openSocket is a stdin that never sends and never ends.
func openSocket(t *testing.T) *os.File {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { _ = errors.Join(ours.Close(), theirs.Close()) })
	return theirs
}

// silentSocket listens at a path, accepts and never answers.
func silentSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }()
		}
	}()
}

func (u *user) read(name string) string {
	u.t.Helper()
	data, err := os.ReadFile(u.path(name))
	if err != nil {
		u.t.Fatal(err)
	}
	return string(data)
}

// contents are the files of the product's directory but for locks and marks, which change when nothing is decided.
func (u *user) contents() map[string]string {
	u.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(u.dir(), func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(u.dir(), path)
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(name, "locks/") || strings.HasPrefix(name, "marks/") {
			return err
		}
		data, err := os.ReadFile(path)
		out[name] = string(data)
		return err
	})
	if err != nil || len(out) < 3 {
		u.t.Fatalf("%d files: %v", len(out), err)
	}
	return out
}

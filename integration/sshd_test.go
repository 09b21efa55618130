//go:build integration && linux

package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// sshdPath is where Debian puts it, which is on the PATH of root only.
const sshdPath = "/usr/sbin/sshd"

// account is a user of this machine with a number of its own.
type account struct {
	*user
	name string
	id   uint32
}

// newAccount adds a user to this machine for the time of the test.
func newAccount(t *testing.T, name string) *account {
	t.Helper()
	if os.Geteuid() != 0 {
		testsupport.Missing(t, "the right to add users (root)")
	}
	u := bareUser(t)
	name += strconv.Itoa(os.Getpid())
	if out, err := exec.Command("useradd", "--no-create-home", "--home-dir", u.home, "--shell", "/bin/sh", "--password", "*", name).CombinedOutput(); err != nil {
		t.Fatalf("useradd: %v: %s", err, out)
	}
	known, err := osuser.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.ParseUint(known.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	a := &account{user: u, name: name, id: uint32(id)}
	t.Cleanup(a.remove)
	delete(u.env, "BROWSER")
	a.own()
	return a
}

// remove ends what still runs as the account, and takes it off this machine.
func (a *account) remove() {
	eventually(a.t, "the account's processes end", 20*time.Second, func() bool {
		pids := a.processes("")
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return len(pids) == 0
	})
	if out, err := exec.Command("userdel", a.name).CombinedOutput(); err != nil {
		a.t.Errorf("userdel: %v: %s", err, out)
	}
}

// processes are those that run as the account, or of those the ones that run a command of mcp-credential.
func (a *account) processes(command string) []int {
	var out []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		info, err := os.Stat(filepath.Dir(file))
		data, _ := os.ReadFile(file)
		args := append(strings.Split(string(data), "\x00"), "", "")
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != a.id || command != "" && (args[0] != shared("mcp-credential") || args[1] != command) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

// own makes everything in the account's home the account's.
func (a *account) own() {
	a.t.Helper()
	if out, err := exec.Command("chown", "-R", a.name+":", a.home).CombinedOutput(); err != nil {
		a.t.Fatalf("chown: %v: %s", err, out)
	}
}

// as has a command run as the account.
func (a *account) as(c *exec.Cmd) *exec.Cmd {
	known, err := osuser.LookupId(strconv.Itoa(int(a.id)))
	if err != nil {
		a.t.Fatal(err)
	}
	group, _ := strconv.Atoi(known.Gid)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.id, Gid: uint32(group)}}
	return c
}

// run runs mcp-credential as the account.
func (a *account) run(args ...string) result {
	a.t.Helper()
	return a.finish(a.as(a.command(shared("mcp-credential"), args...)))
}

// shared is the path of a built program that every user can run.
func shared(name string) string { return bin(filepath.Join("shared", name)) }

// share puts the programs where every user can run them.
func share(t *testing.T) {
	t.Helper()
	if err := os.Chmod(bin(""), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(shared(""), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mcp-credential", "mcp-credential-core", "fakebrowser"} {
		if err := os.Link(bin(strings.Replace(name, "fakebrowser", "fakeworld", 1)), shared(name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
}

// sshd is a real one on loopback.
type sshd struct {
	port string
	log  string // file
	key  string // its public key
}

// startSSHD starts one, with a configuration and a host key of its own.
func startSSHD(t *testing.T, options ...string) *sshd {
	t.Helper()
	if _, err := os.Stat(sshdPath); err != nil {
		testsupport.Missing(t, "sshd (openssh-server)")
	}
	dir := t.TempDir()
	s := &sshd{port: freePort(t), log: filepath.Join(dir, "log")}
	key := filepath.Join(dir, "key")
	keygen(t, key)
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	s.key = string(public)
	config := append([]string{
		"Port " + s.port, "ListenAddress 127.0.0.1", "HostKey " + key, "PidFile none", "UsePAM no", "PasswordAuthentication no", "LogLevel VERBOSE",
	}, options...)
	path := filepath.Join(dir, "config")
	if err := os.WriteFile(path, []byte(strings.Join(config, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where the unprivileged half lives
		t.Fatal(err)
	}
	c := exec.Command(sshdPath, "-D", "-f", path, "-E", s.log)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
	eventually(t, "sshd listens", 20*time.Second, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return s
}

func keygen(t *testing.T, path string) {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
}

// connections counts the sessions that somebody has authenticated for.
func (s *sshd) connections(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(data), "Accepted publickey")
}

// admit has the other account reach this one by ssh, under the name "box"; more is appended to the configuration of that.
func (a *account) admit(s *sshd, from *account, more ...string) {
	a.t.Helper()
	key := from.path(".ssh", "id")
	if err := os.MkdirAll(from.path(".ssh"), 0o700); err != nil {
		a.t.Fatal(err)
	}
	keygen(a.t, key)
	a.write(".ssh/authorized_keys", from.read(".ssh/id.pub"))
	lines := append([]string{
		"Host box", "HostName 127.0.0.1", "Port " + s.port, "User " + a.name, "IdentityFile " + key, "BatchMode yes",
		"UserKnownHostsFile " + from.path(".ssh", "known"),
	}, more...)
	from.write(".ssh/known", "[127.0.0.1]:"+s.port+" "+s.key)
	from.write(".ssh/config", strings.Join(lines, "\n")+"\n")
	a.own()
	from.own()
}

// shell is what a command of mcp-credential looks like in a shell of the other machine.
func shell(args ...string) string {
	return fmt.Sprint(shared("mcp-credential"), " ", strings.Join(args, " "))
}

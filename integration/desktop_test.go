//go:build integration && linux

package integration

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// desktop is a session bus with an unlocked gnome-keyring, as a login would start them.
type desktop struct {
	u      *user
	daemon int // process of gnome-keyring-daemon
}

const (
	keyringPassword = "secret"
	secretsName     = "org.freedesktop.secrets"
	secretsPath     = "/org/freedesktop/secrets"
)

// busConfig has no folder of services: nothing but our own gnome-keyring can answer on the bus.
const busConfig = `<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

// startDesktop starts one for the account, on a bus at socket, and leaves its address in the account's environment.
func startDesktop(t *testing.T, u *user, socket string) *desktop {
	t.Helper()
	u.write("bus.conf", strings.Replace(busConfig, "SOCKET", socket, 1))
	u.write("run/.keep", "")
	u.env["XDG_RUNTIME_DIR"] = u.path("run")
	c := exec.Command("dbus-run-session", "--config-file="+u.path("bus.conf"), "--", "sh", "-c",
		"echo $$; exec gnome-keyring-daemon --unlock --components=secrets --foreground 2>/dev/null")
	c.Env, c.Stdin = u.environ(), strings.NewReader(keyringPassword)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // the session, its bus and its daemon
		_ = c.Wait()
		_ = os.Remove(socket)
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	d := &desktop{u: u}
	if d.daemon, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	u.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + socket
	d.tool("gdbus", "wait", "--session", "--timeout", "20", secretsName)
	return d
}

// tool runs a program of the desktop, which has to succeed.
func (d *desktop) tool(name string, args ...string) string {
	d.u.t.Helper()
	r := d.u.finish(d.u.command(name, args...))
	if r.code != 0 {
		d.u.t.Fatalf("%s %v: %d %s", name, args, r.code, r.stderr)
	}
	return r.stdout
}

// lock locks the login keyring.
func (d *desktop) lock() {
	d.u.t.Helper()
	d.tool("gdbus", "call", "--session", "--dest", secretsName, "--object-path", secretsPath,
		"--method", "org.freedesktop.Secret.Service.Lock", "['"+secretsPath+"/collection/login']")
	if !d.locked() {
		d.u.t.Fatal("the keyring is not locked")
	}
}

// unlock does what PAM does when somebody signs in to the desktop: it gives the password to the daemon's control
// socket (gnome-keyring, gkd-control-codes.h: a credentials byte, then length, operation 1, password; answered by
// length and result 0).
func (d *desktop) unlock() {
	d.u.t.Helper()
	conn, err := net.Dial("unix", d.u.path("run", "keyring", "control"))
	if err != nil {
		d.u.t.Fatal(err)
	}
	defer conn.Close()
	const head = 12
	request := binary.BigEndian.AppendUint32([]byte{0}, uint32(head+len(keyringPassword)))
	request = binary.BigEndian.AppendUint32(request, 1)
	request = binary.BigEndian.AppendUint32(request, uint32(len(keyringPassword)))
	if _, err := conn.Write(append(request, keyringPassword...)); err != nil {
		d.u.t.Fatal(err)
	}
	var answer [8]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil || binary.BigEndian.Uint64(answer[:]) != 8<<32 {
		d.u.t.Fatalf("unlock: % x, %v", answer, err)
	}
	if d.locked() {
		d.u.t.Fatal("the keyring is still locked")
	}
}

func (d *desktop) locked() bool {
	d.u.t.Helper()
	return strings.Contains(d.tool("gdbus", "call", "--session", "--dest", secretsName, "--object-path", secretsPath+"/collection/login",
		"--method", "org.freedesktop.DBus.Properties.Get", "org.freedesktop.Secret.Collection", "Locked"), "true")
}

func (d *desktop) signal(s syscall.Signal) {
	d.u.t.Helper()
	if err := syscall.Kill(d.daemon, s); err != nil {
		d.u.t.Fatal(err)
	}
}

// items lists what the keyring holds of ours; it is empty without any.
func (d *desktop) items() string {
	d.u.t.Helper()
	r := d.u.finish(d.u.command("secret-tool", "search", "--all", "application", "mcp-credential"))
	return r.stdout + r.stderr
}

// TestDoctorNamesALockedKeychain: one failing line, although nothing that needs the keychain works.
func TestDoctorNamesALockedKeychain(t *testing.T) {
	u := bareUser(t)
	d := startDesktop(t, u, u.path("bus"))
	w := strictWorld(t)
	u.must("login", w.ServerURL())
	u.must("doctor")
	d.lock()
	r := u.run("doctor")
	if n := strings.Count("\n"+r.stdout, "\nfail "); r.code != 1 || n != 1 || !strings.Contains(r.stdout, "\nfail  keychain ") {
		t.Errorf("exit %d, %d failing lines:\n%s%s", r.code, n, r.stdout, r.stderr)
	}
	if r.took > 11*time.Second {
		t.Errorf("it took %s", r.took)
	}
}

//go:build integration && linux

package integration

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

const (
	warmLimit = 200 * time.Millisecond // a warm get among whatever hangs, median
	coldLimit = 9 * time.Second        // hosts kill their helper after ten seconds
)

// torment is one component that stops answering.
type torment struct {
	name   string
	code   int      // of a cold get meanwhile
	words  []string // that its sentence holds
	hurt   func() *user
	heal   func()
	server string
	sealed bool // the component is the keychain: a cached token whose key is not hot is out of reach too
}

// suffers signs in, has the component stop, and wants warm gets unaffected and right, a cold one to end in time with one
// sentence and nothing on stdout, and everything as before once the component answers again.
func suffers(t *testing.T, u *user, x torment) {
	t.Helper()
	token := u.must("get", x.server)
	hurt := x.hurt()
	heal := sync.OnceFunc(x.heal)
	t.Cleanup(heal)
	warm(t, hurt, x, token)
	if x.sealed {
		cold(t, hurt, x, "without a hot key", func() { hurt.loseHotKey(unix.KEYCTL_REVOKE) })
	}
	cold(t, hurt, x, "without a token", func() { hurt.must("erase", x.server) })
	if r := hurt.run("status"); r.code != 0 || r.took > warmLimit*5 {
		t.Errorf("status: %d after %v\n%s", r.code, r.took, r.stderr)
	}
	heal()
	fresh := u.must("get", "--wait", "40s", x.server)
	mustAccept(t, x.server, fresh)
	if fresh == token {
		t.Error("the erased token came back")
	}
}

// warm wants the right token, seven times, and the median in time.
func warm(t *testing.T, u *user, x torment, token string) {
	t.Helper()
	var took []time.Duration
	for range 7 {
		r := u.run("get", x.server)
		if r.code != 0 || r.stdout != token+"\n" || r.stderr != "" {
			t.Fatalf("warm: %d after %v: %s", r.code, r.took, r.stderr)
		}
		took = append(took, r.took)
	}
	slices.Sort(took)
	if took[3] > warmLimit {
		t.Errorf("a warm get takes %v", took[3])
	}
	measure(t, "warm get, "+x.name, took[3])
}

func cold(t *testing.T, u *user, x torment, how string, cool func()) {
	t.Helper()
	cool()
	r := u.run("get", x.server)
	u.refused(r, x.code, x.words...)
	if r.took > coldLimit {
		t.Errorf("a cold get took %v", r.took)
	}
	measure(t, "cold get "+how+", "+x.name, r.took)
}

// atDesktop is an account whose sign-in is in gnome-keyring.
func atDesktop(t *testing.T) (*user, *desktop, *fakeworld.World) {
	t.Helper()
	u := bareUser(t)
	d := startDesktop(t, u, u.path("bus"))
	w := strictWorld(t)
	u.must("login", w.ServerURL())
	if l := u.line(w.ServerURL()); l.Keychain != "Secret Service (gnome-keyring)" {
		t.Fatalf("kept in %s", l.Keychain)
	}
	return u, d, w
}

func TestBusThatNeverAnswers(t *testing.T) {
	t.Parallel()
	u, _, w := atDesktop(t)
	silentSocket(t, u.path("silent"))
	hurt := u.with("DBUS_SESSION_BUS_ADDRESS=unix:path=" + u.path("silent"))
	suffers(t, u, torment{name: "D-Bus never answers", server: w.ServerURL(), code: 6, words: []string{"bus"}, sealed: true,
		hurt: func() *user { return hurt }, heal: func() {}})
}

func TestLockedKeyring(t *testing.T) {
	t.Parallel()
	u, d, w := atDesktop(t)
	suffers(t, u, torment{name: "locked keyring, DISPLAY set", server: w.ServerURL(), code: 6, words: []string{"locked", "unlock"}, sealed: true,
		hurt: func() *user { d.lock(); return u.with("DISPLAY=:99") }, heal: d.unlock})
}

func TestStoppedKeyringDaemon(t *testing.T) {
	t.Parallel()
	u, d, w := atDesktop(t)
	suffers(t, u, torment{name: "keyring daemon stopped", server: w.ServerURL(), code: 6, words: []string{"Secret Service"}, sealed: true,
		hurt: func() *user { d.signal(syscall.SIGSTOP); return u }, heal: func() { d.signal(syscall.SIGCONT) }})
}

func TestStoppedLockHolder(t *testing.T) {
	t.Parallel()
	w := strictWorld(t)
	u := newUser(t)
	u.must("login", w.ServerURL())
	holder := u.holdLock(u.signIn().ID)
	suffers(t, u, torment{name: "lock holder stopped", server: w.ServerURL(), code: 4, words: []string{"8s"},
		hurt: func() *user {
			_ = holder.Process.Signal(syscall.SIGSTOP)
			return u
		},
		heal: func() { _ = holder.Process.Kill() }})
}

// holdLock has another process hold a lock of this account until it is killed.
func (u *user) holdLock(name string) *exec.Cmd {
	u.t.Helper()
	c := u.command(os.Args[0], u.dir("locks", name+".lock"))
	c.Env = append(c.Env, roleVariable+"=hold")
	_, err := c.StdinPipe()
	if err != nil {
		u.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		u.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		u.t.Fatalf("the lock holder says %q: %v", line, err)
	}
	return c
}

// TestSilentAuthorizationServer stops the server's process: the kernel still accepts connections for it. The token
// request that hangs meanwhile is answered once it goes on, and not sent twice.
func TestSilentAuthorizationServer(t *testing.T) {
	t.Parallel()
	p := startProvider(t, "--access-ttl", "600")
	u := newUser(t)
	u.must("login", p.Server)
	suffers(t, u, torment{name: "authorization server silent", server: p.Server, code: 4, words: []string{p.Server},
		hurt: func() *user { _ = syscall.Kill(p.pid, syscall.SIGSTOP); return u },
		heal: func() { _ = syscall.Kill(p.pid, syscall.SIGCONT) }})
	if s := p.stats(); s.TokenOK["refresh_token"] != 1 || s.Reuse != 0 {
		t.Errorf("token requests %v, reuse %d", s.Token, s.Reuse)
	}
}

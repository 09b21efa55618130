//go:build integration && linux

package integration

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcphost"
)

// machines are two accounts, as on two machines: one with a browser and a keychain, and one that it reaches by ssh.
type machines struct {
	laptop, box *account
	sshd        *sshd
}

func twoMachines(t *testing.T, options ...string) machines {
	t.Helper()
	m := machines{laptop: newAccount(t, "mcplaptop"), box: newAccount(t, "mcpbox")}
	share(t)
	m.sshd = startSSHD(t, options...)
	l := m.laptop
	l.env["BROWSER"], l.env["FAKEBROWSER_LOG"], l.env["TMPDIR"] = shared("fakebrowser"), l.path("tabs"), l.home
	l.write("passphrase", "correct horse battery staple\n")
	l.configure(`store = "file"`, `passphrase_file = "`+l.path("passphrase")+`"`)
	m.box.admit(m.sshd, l)
	return m
}

// tabs counts what the laptop's browser was shown.
func (m machines) tabs() int {
	data, _ := os.ReadFile(m.laptop.path("tabs"))
	return strings.Count(string(data), "\n")
}

// session is an ssh of the laptop that lives until end is called.
type session struct {
	in io.Closer
	c  *exec.Cmd
}

// connect starts a session, and returns once its shell runs on the box.
func (m machines) connect(args ...string) *session {
	t := m.laptop.t
	t.Helper()
	c := m.laptop.as(m.laptop.command(args[0], append(args[1:], "echo ready; cat")...))
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return &session{in, c}
}

func (s *session) end() error {
	_ = s.in.Close()
	return s.c.Wait()
}

// token is what a get prints, which has to succeed.
func token(t *testing.T, r result) string {
	t.Helper()
	if r.code != 0 || !strings.HasPrefix(r.stdout, "at_") {
		t.Fatalf("exit code %d, %.3q: %s", r.code, r.stdout, r.stderr)
	}
	return strings.TrimSpace(r.stdout)
}

// again asks for another token than the cached one.
func again(url string) []string {
	return []string{"get", "--challenge", `Bearer error="invalid_token"`, url}
}

// TestForward goes the way of a person with a laptop and a box that is reached by ssh: approve, sign in, work, disconnect.
func TestForward(t *testing.T) {
	m := twoMachines(t)
	w := strictWorld(t)
	url := w.ServerURL()
	m.box.refused(m.box.run("get", url), 3, "nobody has signed in")

	// The first time: ssh runs twice, a page asks, then comes the sign-in.
	r := m.laptop.run("ssh", "box", shell("get", "--wait", "30s", url))
	first := token(t, r)
	if s := w.Stats(); s.Authorizations != 1 || m.tabs() != 2 || m.sshd.connections(t) != 2 {
		t.Errorf("%d sign-ins, %d tabs, %d connections", s.Authorizations, m.tabs(), m.sshd.connections(t))
	}
	if !strings.Contains(r.stderr, "the first time for box") {
		t.Errorf("stderr: %s", r.stderr)
	}
	if names, _ := filepath.Glob(m.box.dir("*")); len(names) == 0 || contains(names, "signins") || contains(names, "keychain") {
		t.Errorf("the box has %v", names)
	}
	if got := token(t, m.box.run("get", url)); got != first {
		t.Error("the cached token is another one")
	}

	// From then on once, with ssh's exit code; the socket that the last session left is no obstacle.
	if r := m.laptop.run("ssh", "box", "exit 7"); r.code != 7 || r.stderr != "" || m.sshd.connections(t) != 3 {
		t.Errorf("exit code %d, %q, %d connections", r.code, r.stderr, m.sshd.connections(t))
	}
	second := token(t, m.laptop.finish(m.laptop.as(m.laptop.command(shared("mcp-credential"), "ssh", "box", shell("get", "--challenge", `'Bearer error="invalid_token"'`, url)))))
	if second == first || m.tabs() != 2 {
		t.Errorf("the refused token came again, or there are more tabs: %d", m.tabs())
	}

	// Nobody is connected: what is cached serves on.
	m.box.refused(m.box.run(again(url)...), 4, "the forward that brings tokens for "+url+" has ended")
	if got := token(t, m.box.run("get", url)); got != second {
		t.Error("the cached token is another one")
	}
	m.box.holdsNoSecret(w)
	m.laptop.holdsNoSecret(w)

	// The laptop takes it back.
	if r := m.laptop.run("logout", url); r.code != 0 {
		t.Error(r.stderr)
	}
	r = m.laptop.run("ssh", "box", shell("get", "--prompt", "never", "--challenge", `'Bearer error="invalid_token"'`, url))
	m.laptop.refused(r, 3, "nobody has approved yet that box gets tokens")
}

func contains(paths []string, name string) bool {
	for _, p := range paths {
		if filepath.Base(p) == name {
			return true
		}
	}
	return false
}

// TestForwardServesEverybodyThere holds a session open, and has others on the box use it: a bridge, fifty callers at one expiry;
// not another user.
func TestForwardServesEverybodyThere(t *testing.T) {
	m := twoMachines(t)
	w := strictWorld(t, func(o *fakeworld.Options) { o.AccessTTL = 20 * time.Second })
	url := w.ServerURL()
	s := m.connect(shared("mcp-credential"), "ssh", "box")

	// A bridge, whose first request finds nobody signed in.
	c := m.box.as(m.box.command(shared("mcp-credential"), "bridge", url))
	c.Stderr = os.Stderr
	h, err := mcphost.Start(c, func(string, json.RawMessage) (any, error) { return nil, &mcphost.Error{Code: -32601, Message: "no"} })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Initialize(t.Context(), "2025-11-25", map[string]any{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bridge's server answers", 30*time.Second, func() bool {
		_, err := h.Call(t.Context(), "ping", map[string]any{})
		return err == nil && w.Stats().Authorizations == 1
	})
	if m.tabs() != 2 {
		t.Errorf("%d tabs", m.tabs())
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}

	m.fiftyCallers(w)
	// The socket is the box's own.
	sockets, _ := filepath.Glob(m.box.dir("forward", "*.sock"))
	if len(sockets) != 1 {
		t.Fatalf("%v", sockets)
	}
	stranger := m.laptop.with("MCPCRED_SOCKET="+sockets[0], "MCPCRED_HOME="+m.laptop.path("stranger"))
	m.laptop.refused(m.laptop.finish(m.laptop.as(stranger.command(shared("mcp-credential"), "get", url))), 2, "cannot be trusted")

	m.stopped(url)
	_ = s.end()
}

// fiftyCallers have one expiry: one token request of the laptop's.
func (m machines) fiftyCallers(w *fakeworld.World) {
	t, url := m.box.t, w.ServerURL()
	was := token(t, m.box.run("get", url))
	m.box.run("erase", url)
	w.ResetStats()
	results := make(chan result, 50)
	for range cap(results) {
		go func() {
			results <- m.box.finish(m.box.as(m.box.command(shared("mcp-credential"), "get", "--wait", "30s", url)))
		}()
	}
	got := map[string]int{}
	for range cap(results) {
		r := <-results
		if got[r.stdout]++; r.code != 0 {
			t.Errorf("%d: %s", r.code, r.stderr)
		}
	}
	if s := w.Stats(); len(got) > 2 || s.Token["refresh_token"] > 1 {
		t.Errorf("%d tokens after %s..., %v", len(got), was[:6], s.Token)
	}
}

// stopped stops what answers, and then kills it.
func (m machines) stopped(url string) {
	t := m.box.t
	// Whoever answers is stopped: in time it is said, and not for good.
	cores := m.laptop.processes("ssh")
	if len(cores) != 1 {
		t.Fatalf("%d processes answer", len(cores))
	}
	_ = syscall.Kill(cores[0], syscall.SIGSTOP)
	r := m.box.finish(m.box.as(m.box.command(shared("mcp-credential"), append(again(url), "--wait", "2s")...)))
	_ = syscall.Kill(cores[0], syscall.SIGCONT)
	if m.box.refused(r, 4, "has not answered in time"); r.took > 12*time.Second {
		t.Errorf("it took %v", r.took)
	}

	// Killed at once, what answers leaves ssh alone: the session goes on, the forward has ended.
	_ = syscall.Kill(cores[0], syscall.SIGKILL)
	m.box.refused(m.box.run(again(url)...), 4, "has ended")
}

// TestForwardByHand has ~/.ssh/config do what docs/remote.md says, and ends what answers with the connection.
func TestForwardByHand(t *testing.T) {
	m := twoMachines(t)
	w := strictWorld(t)
	socket := m.laptop.dir("serve", "box.sock")
	m.laptop.write(".ssh/config", m.laptop.read(".ssh/config")+strings.Join([]string{
		"RemoteForward " + m.box.dir("forward", "laptop.sock") + " " + socket,
		"PermitLocalCommand yes",
		"LocalCommand while kill -0 $PPID 2>/dev/null; do sleep 0.2; done | " + shell("forward", "--host", "box", socket) + " >/dev/null 2>&1 &",
	}, "\n")+"\n")
	m.box.write(".mcp-credential/forward/note", "")
	m.box.own()
	m.laptop.own()
	if err := errors.Join(os.Chmod(m.box.dir(), 0o700), os.Chmod(m.box.dir("forward"), 0o700)); err != nil {
		t.Fatal(err)
	}
	m.laptop.env["SHELL"] = "/bin/sh"
	s := m.connect("ssh", "box")
	eventually(t, "somebody answers", 20*time.Second, func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	token(t, m.box.run("get", "--wait", "30s", w.ServerURL()))
	if err := s.end(); err != nil {
		t.Error(err)
	}
	eventually(t, "what answered has ended", 20*time.Second, func() bool {
		_, err := os.Stat(socket)
		return os.IsNotExist(err)
	})
	m.box.refused(m.box.run(again(w.ServerURL())...), 4, "has ended")
}

// TestForwardForbidden has a sshd that allows no forward: the session goes on without, and both sides say what is missing.
func TestForwardForbidden(t *testing.T) {
	m := twoMachines(t, "AllowStreamLocalForwarding no")
	w := strictWorld(t)
	for range 2 { // what was remembered of the box's home is looked for again
		r := m.laptop.run("ssh", "box", "echo here;", shell("get", w.ServerURL()))
		if r.code != 3 || r.stdout != "here\n" || !strings.Contains(r.stderr, "AllowStreamLocalForwarding") || !strings.Contains(r.stderr, "the first time for box") {
			t.Errorf("exit code %d, %q, %s", r.code, r.stdout, r.stderr)
		}
	}
	if m.tabs() != 0 {
		t.Errorf("%d tabs", m.tabs())
	}
}

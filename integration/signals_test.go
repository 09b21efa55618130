//go:build integration && linux

package integration

import (
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// TestSignalledRefresh sends a refresh everything but SIGKILL while the server has spent its refresh token and holds the
// answer back.
func TestSignalledRefresh(t *testing.T) {
	t.Parallel()
	w := strictWorld(t)
	u := newUser(t)
	u.must("login", w.ServerURL())
	delayed(w, 300*time.Millisecond)
	for signal := syscall.Signal(1); signal < 32; signal++ {
		if signal == syscall.SIGKILL || signal == syscall.SIGSTOP || signal == syscall.SIGTSTP || signal == syscall.SIGTTIN || signal == syscall.SIGTTOU {
			continue // ends it, or stops it until somebody says SIGCONT
		}
		u.must("erase", w.ServerURL())
		w.ResetStats()
		c := u.command(bin("mcp-credential"), "get", w.ServerURL())
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the refresh token is spent", 5*time.Second, func() bool { return w.Stats().HTTP["POST /token"] == 1 })
		for _, pid := range u.detached("refresh") {
			_ = syscall.Kill(pid, signal)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
		if s := w.Stats(); s.HTTP["POST /token"] != 1 || s.Reuse != 0 {
			t.Fatalf("%v: requests %v, reuse %d", signal, s.HTTP, s.Reuse)
		}
	}
}

// TestFrozenRefresh stops a refresh until its time is up by the clock, with the answer of the server in its socket.
func TestFrozenRefresh(t *testing.T) {
	t.Parallel()
	w := strictWorld(t, func(o *fakeworld.Options) { o.AccessTTL = time.Hour })
	u := newUser(t)
	u.must("login", w.ServerURL())
	u.must("erase", w.ServerURL())
	w.ResetStats()
	delayed(w, time.Second)
	c := u.command(bin("mcp-credential"), "get", "--wait", "1s", w.ServerURL())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the refresh token is spent", 5*time.Second, func() bool { return w.Stats().HTTP["POST /token"] == 1 })
	frozen := u.detached("refresh")
	for _, pid := range frozen {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	_ = c.Wait()                                       // gives up, or not: it is not what is tested
	<-time.After(credential.HTTPToken + 2*time.Second) // what is tested is that this much time passes
	for _, pid := range frozen {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	mustAccept(t, w.ServerURL(), u.must("get", "--prompt", "never", w.ServerURL()))
	if s := w.Stats(); s.HTTP["POST /token"] != 1 || s.Reuse != 0 {
		t.Fatalf("requests %v, reuse %d", s.HTTP, s.Reuse)
	}
}

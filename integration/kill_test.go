//go:build integration && linux

package integration

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// strictWorld is an authorization server that rotates refresh tokens and revokes the grant when one is used twice.
func strictWorld(t *testing.T, change ...func(*fakeworld.Options)) *fakeworld.World {
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
	return w
}

// delayed holds the answers of token requests back; the requests themselves are processed at once.
func delayed(w *fakeworld.World, delay time.Duration) {
	w.Set(func(k *fakeworld.Behaviour) {
		k.Faults = []fakeworld.Fault{{On: fakeworld.OnToken, Delay: fakeworld.Duration(delay)}}
	})
}

// TestKilledDuringTheTokenRequest kills the caller's whole process group in the middle of a token request of one
// second, twenty times in a row: the refresh goes on without it.
func TestKilledDuringTheTokenRequest(t *testing.T) {
	t.Parallel()
	const rounds = 20
	w := strictWorld(t)
	u := newUser(t)
	u.must("login", w.ServerURL())
	delayed(w, time.Second)
	for round := range rounds {
		u.must("erase", w.ServerURL())
		w.ResetStats()
		c := u.caller(strings.TrimSpace, "", "mcp-credential", "get", w.ServerURL())
		start(t, []*caller{c})
		eventually(t, "a token request begins", 5*time.Second, func() bool { return w.Stats().HTTP["POST /token"] == 1 })
		if err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = c.cmd.Wait()
		if !signalled(c.cmd) {
			t.Fatal("the caller was gone before")
		}
		mustAccept(t, w.ServerURL(), u.must("get", "--prompt", "never", w.ServerURL()))
		if s := w.Stats(); s.HTTP["POST /token"] != 1 || s.Reuse != 0 {
			t.Fatalf("round %d: requests %v, reuse %d", round, s.HTTP, s.Reuse)
		}
	}
}

// TestKilledRefresh kills the detached refresh itself, which nothing but the machine's end or its owner does.
//
// One window remains, and cannot be closed: the server has spent the refresh token, and its answer, the only copy of
// the next one, is on the wire or in the memory of the process that dies. It lasts from the server's processing to the
// keychain's confirmation. In this test the server holds its answers back to make it wide. Outside of it nothing is
// lost; inside, the next get presents the spent token, the server revokes the grant, and the product says exit 3 until
// a login.
func TestKilledRefresh(t *testing.T) {
	t.Parallel()
	const rounds, delay = 24, 200 * time.Millisecond
	w := strictWorld(t)
	u := newUser(t)
	u.must("login", w.ServerURL())
	delayed(w, delay)
	lost, kept := 0, 0
	for round := range rounds {
		u.must("erase", w.ServerURL())
		w.ResetStats()
		u.killRefresh(w.ServerURL(), rand.N(2*delay))
		stored := len(u.cachedTokens()) > 0 // the access token is written after the keychain has confirmed
		u.must("erase", w.ServerURL())
		r := u.run("get", "--prompt", "never", w.ServerURL())
		s := w.Stats()
		switch {
		case r.code == 0 && s.Reuse == 0:
			kept++
			mustAccept(t, w.ServerURL(), strings.TrimSpace(r.stdout))
		case r.code == 3 && !stored && s.TokenOK["refresh_token"] == 1 && s.Reuse == 1:
			lost++
			u.refused(r, 3, "mcp-credential login "+w.ServerURL())
			u.must("login", w.ServerURL())
			mustAccept(t, w.ServerURL(), u.must("get", "--prompt", "never", w.ServerURL()))
		default:
			t.Fatalf("round %d, refresh token stored: %v, requests granted: %v, reuse %d: exit code %d\n%s",
				round, stored, s.TokenOK, s.Reuse, r.code, r.stderr)
		}
	}
	if lost == 0 || kept == 0 {
		t.Errorf("%d rounds lost the refresh token and %d did not: the kills missed one side of the window", lost, kept)
	}
	t.Logf("killed inside the window: %d, outside: %d", lost, kept)
}

// TestKilledRefreshBeforeProcessing kills the detached refresh while the server has its request and has not looked at
// it: the refresh token is still good.
func TestKilledRefreshBeforeProcessing(t *testing.T) {
	t.Parallel()
	w := strictWorld(t)
	u := newUser(t)
	u.must("login", w.ServerURL())
	for range 5 {
		u.must("erase", w.ServerURL())
		w.ResetStats()
		w.Set(func(k *fakeworld.Behaviour) { k.Faults = []fakeworld.Fault{{On: fakeworld.OnToken, Hang: true}} })
		c := u.command(bin("mcp-credential"), "get", w.ServerURL())
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a token request begins", 5*time.Second, func() bool { return w.Stats().HTTP["POST /token"] == 1 })
		w.Set(func(k *fakeworld.Behaviour) { k.Faults = nil })
		for _, pid := range u.detached("refresh") {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err := c.Wait(); err != nil { // it notices, and has another process refresh
			t.Fatal(err)
		}
		mustAccept(t, w.ServerURL(), u.must("get", "--prompt", "never", w.ServerURL()))
		if s := w.Stats(); s.TokenOK["refresh_token"] != 1 || s.Reuse != 0 {
			t.Fatalf("requests %v, reuse %d", s.HTTP, s.Reuse)
		}
	}
}

// killRefresh has a get start the detached refresh, and kills that this long after it appears. The caller is killed
// with it, so that it cannot start another one.
func (u *user) killRefresh(server string, moment time.Duration) {
	u.t.Helper()
	c := u.command(bin("mcp-credential"), "get", server)
	if err := c.Start(); err != nil {
		u.t.Fatal(err)
	}
	eventually(u.t, "a detached refresh begins", 5*time.Second, func() bool { return len(u.detached("refresh")) > 0 })
	<-time.After(moment)
	_ = c.Process.Kill()
	_ = c.Wait()
	for _, pid := range u.detached("refresh") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	eventually(u.t, "the detached refresh ends", 5*time.Second, func() bool { return len(u.detached("refresh")) == 0 })
}

// cachedTokens lists the access tokens on the disk, without what a killed writer has left beside them and without parked
// refresh tokens.
func (u *user) cachedTokens() []string {
	files, _ := filepath.Glob(u.dir("tokens", "*", "[0-9a-f]*"))
	return slices.DeleteFunc(files, func(path string) bool { return strings.HasPrefix(filepath.Base(path), "000000000000") })
}

//go:build integration && linux

package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// TestCrowdAfterReboot has no hot key: every process asks the keychain. The session bus takes 256 connections of a user;
// pass costs a process of gpg for each slot.
func TestCrowdAfterReboot(t *testing.T) {
	for name, processes := range map[string]int{"gnome-keyring": 200, "encrypted file": 200, "pass": 40} {
		t.Run(name, func(t *testing.T) {
			u, w := places()[name].user(t), strictWorld(t)
			u.must("login", w.ServerURL())
			for what, want := range map[string]int{"a valid token": 0, "no token": 1} {
				u.must("get", w.ServerURL())
				w.ResetStats()
				u.loseHotKey(unix.KEYCTL_UNLINK)
				if want > 0 {
					u.must("erase", w.ServerURL())
				}
				began := time.Now()
				tokens := crowd(t, u, w.ServerURL(), processes)
				measure(t, fmt.Sprintf("%d processes after a reboot, %s, %s", processes, name, what), time.Since(began))
				if s := w.Stats(); len(tokens) != 1 || s.HTTP["POST /token"] != want || s.Reuse != 0 {
					t.Errorf("%s: %d different tokens, requests %v, reuse %d", what, len(tokens), s.HTTP, s.Reuse)
				}
			}
		})
	}
}

// TestRefusedByAll has many hosts find out at once that their token is refused: each erases it and asks again. The late
// ones complain about a token that has been replaced, and must not cost another refresh.
func TestRefusedByAll(t *testing.T) {
	t.Parallel()
	const hosts = 30
	w := strictWorld(t)
	u := newUser(t)
	u.must("login", w.ServerURL())
	refused := u.must("get", w.ServerURL())
	w.ExpireAccess()
	w.ResetStats()
	u.script("host", `printf '{"url":"%s","access_token":"%s"}' `+w.ServerURL()+" "+refused+" | "+bin("mcp-credential")+
		" erase --input json && exec "+bin("mcp-credential")+" get "+w.ServerURL())
	var all []*caller
	for range hosts {
		c := u.caller(strings.TrimSpace, "", "mcp-credential")
		c.cmd.Path, c.cmd.Args = u.path("host"), []string{"host"}
		all = append(all, c)
	}
	start(t, all)
	tokens := finish(t, all)
	s := w.Stats()
	if len(tokens) != 1 || tokens[refused] != 0 || s.HTTP["POST /token"] != 1 || s.Reuse != 0 {
		t.Errorf("%d different tokens, requests %v, reuse %d", len(tokens), s.HTTP, s.Reuse)
	}
	for token := range tokens {
		mustAccept(t, w.ServerURL(), token)
	}
}

// TestRefreshAhead asks within the refresh window of a token, where everybody is answered at once with the old one while
// one process refreshes.
func TestRefreshAhead(t *testing.T) {
	t.Parallel()
	const processes, delay = 20, time.Second
	w := strictWorld(t, func(o *fakeworld.Options) { o.AccessTTL = 20 * time.Second })
	u := newUser(t)
	u.must("login", w.ServerURL())
	old := u.must("get", w.ServerURL())
	w.ResetStats()
	delayed(w, delay)
	<-time.After(time.Until(u.line(w.ServerURL()).Expiry.Add(-4 * time.Second))) // the last fifth of its life
	began := time.Now()
	tokens := crowd(t, u, w.ServerURL(), processes)
	if took := time.Since(began); tokens[old] != processes || took > delay {
		t.Errorf("%d of %d answers are the old token, in %v", tokens[old], processes, took)
	}
	eventually(t, "the new token is there", 5*time.Second, func() bool { return u.must("get", w.ServerURL()) != old })
	s := w.Stats()
	asked := s.HTTP["POST /mcp"] // once, whether it refuses the token: some of the crowd ask for the same headers
	if delete(s.HTTP, "POST /mcp"); asked > 1 || s.HTTP["POST /token"] != 1 || len(s.HTTP) != 1 || s.Reuse != 0 {
		t.Errorf("requests %v, reuse %d", s.HTTP, s.Reuse)
	}
}

// TestLogoutDuringARefresh signs out while a rotated refresh token is on its way: nothing of it stays behind, here or at
// the server.
func TestLogoutDuringARefresh(t *testing.T) {
	t.Parallel()
	w := strictWorld(t)
	u := newUser(t)
	u.must("login", w.ServerURL())
	u.must("erase", w.ServerURL())
	delayed(w, time.Second)
	w.ResetStats()
	c := u.caller(strings.TrimSpace, "", "mcp-credential", "get", "--prompt", "never", w.ServerURL())
	start(t, []*caller{c})
	eventually(t, "a token request begins", 5*time.Second, func() bool { return w.Stats().HTTP["POST /token"] == 1 })
	u.must("logout", w.ServerURL())
	_ = c.cmd.Wait() // it was answered, or told to sign in
	eventually(t, "the refresh ends", 5*time.Second, func() bool { return len(u.detached("refresh")) == 0 })
	if token := c.parse(c.out.String()); token != "" && accepts(t, w.ServerURL(), token) {
		t.Error("a token of the ended sign-in still works")
	}
	if s := w.Stats(); s.Revocations == 0 || s.GrantsRevoked != 1 || s.Reuse != 0 {
		t.Errorf("revocations %d, grants revoked %d, reuse %d", s.Revocations, s.GrantsRevoked, s.Reuse)
	}
	left := places()["encrypted file"].left(u)
	if keys := u.hotKeys(); left != "" || len(u.cachedTokens()) != 0 || len(keys) != 0 || len(u.status()) != 0 {
		t.Errorf("left behind: %s, %d tokens, hot keys %v", left, len(u.cachedTokens()), keys)
	}
}

// TestKilledLogins kills sign-ins at random moments. Whatever is left, a get answers or says to sign in, and the next
// login works.
func TestKilledLogins(t *testing.T) {
	t.Parallel()
	w := strictWorld(t)
	u := newUser(t)
	killed := 0
	for range 15 {
		c := u.command(bin("mcp-credential"), "login", "--force", w.ServerURL())
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(rand.N(120 * time.Millisecond))
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait()
		if signalled(c) {
			killed++
		}
		r := u.run("get", "--prompt", "never", w.ServerURL())
		if r.code == 0 {
			mustAccept(t, w.ServerURL(), strings.TrimSpace(r.stdout))
		} else {
			u.refused(r, 3, "mcp-credential login "+w.ServerURL())
		}
	}
	if killed == 0 {
		t.Error("every login ended before it was killed")
	}
	u.must("login", w.ServerURL())
	u.must("erase", w.ServerURL())
	mustAccept(t, w.ServerURL(), u.must("get", "--prompt", "never", w.ServerURL()))
	u.must("logout", w.ServerURL())
	if left := places()["encrypted file"].left(u); left != "" {
		t.Errorf("left in the keychain: %s", left)
	}
}

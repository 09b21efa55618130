//go:build integration && linux

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/home"
)

// hotKeys returns the kernel's numbers of the hot keys of this account's sign-ins.
func (u *user) hotKeys() []string {
	u.t.Helper()
	dir, err := home.Find(u.dir(), os.Getenv)
	if err != nil {
		u.t.Fatal(err)
	}
	out, err := exec.CommandContext(u.t.Context(), "keyctl", "show", "@u").Output()
	if err != nil {
		u.t.Fatal(err)
	}
	var keys []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "mcp-credential:"+dir.ID+":") {
			keys = append(keys, strings.Fields(line)[0])
		}
	}
	return keys
}

// loseHotKey takes the one hot key away with keyctl: revoke, or unlink, which is what a reboot amounts to.
func (u *user) loseHotKey(how string) {
	u.t.Helper()
	keys := u.hotKeys()
	if len(keys) != 1 {
		u.t.Fatalf("%d hot keys", len(keys))
	}
	args := []string{how, keys[0]}
	if how == "unlink" {
		args = append(args, "@u")
	}
	if out, err := exec.CommandContext(u.t.Context(), "keyctl", args...).CombinedOutput(); err != nil {
		u.t.Fatalf("keyctl %v: %v %s", args, err, out)
	}
}

// TestLostHotKey wants one question to the keychain, no token request, and the next get warm again.
func TestLostHotKey(t *testing.T) {
	t.Parallel()
	const asked = "asking the keychain"
	w := strictWorld(t)
	u := newUser(t)
	u.must("login", w.ServerURL())
	token := u.must("get", w.ServerURL())
	w.ResetStats()
	for _, how := range []string{"unlink", "revoke"} {
		u.loseHotKey(how)
		r := u.run("get", "--verbose", w.ServerURL())
		if r.code != 0 || r.stdout != token+"\n" || strings.Count(r.stderr, asked) != 1 {
			t.Errorf("%s: %d %s", how, r.code, r.stderr)
		}
		measure(t, "get after the hot key was lost ("+how+"), encrypted file", r.took)
		r = u.run("get", "--verbose", w.ServerURL())
		if r.code != 0 || r.stdout != token+"\n" || strings.Contains(r.stderr, asked) {
			t.Errorf("after %s: %d %s", how, r.code, r.stderr)
		}
	}
	if s := w.Stats(); len(s.HTTP) != 0 {
		t.Errorf("requests: %v", s.HTTP)
	}
	u.must("logout", w.ServerURL())
	if keys := u.hotKeys(); len(keys) != 0 {
		t.Errorf("hot keys after logout: %v", keys)
	}
}

// TestNoKernelKeyring runs everything where the kernel refuses keyrings: each get asks the keychain, and answers.
func TestNoKernelKeyring(t *testing.T) {
	t.Parallel()
	w := strictWorld(t)
	u := newUser(t)
	run := func(args ...string) result {
		c := u.command(os.Args[0], append([]string{bin("mcp-credential")}, args...)...)
		c.Env = append(c.Env, roleVariable+"=no-keyring")
		r := u.finish(c)
		if r.code != 0 {
			t.Fatalf("%v: %d %s", args, r.code, r.stderr)
		}
		return r
	}
	run("login", w.ServerURL())
	first := run("get", w.ServerURL())
	if again := run("get", w.ServerURL()); again.stdout != first.stdout {
		t.Error("two gets gave two tokens")
	}
	measure(t, "get without a kernel keyring, encrypted file", first.took)
	run("erase", w.ServerURL())
	token := strings.TrimSpace(run("get", w.ServerURL()).stdout)
	mustAccept(t, w.ServerURL(), token)
	if s := w.Stats(); s.TokenOK["refresh_token"] != 1 || s.Reuse != 0 {
		t.Errorf("token requests %v, reuse %d", s.Token, s.Reuse)
	}
	if status := run("status", "-o", "json"); !strings.Contains(status.stdout, `"hot_key": "none"`) {
		t.Errorf("status: %s", status.stdout)
	}
	if keys := u.hotKeys(); len(keys) != 0 {
		t.Errorf("hot keys: %v", keys)
	}
	run("logout", w.ServerURL())
}

//go:build integration && linux

package integration

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mcp-credential/mcp-credential/internal/home"
)

// hotKeys returns the kernel's numbers of the hot keys of this account's sign-ins.
func (u *user) hotKeys() []int {
	u.t.Helper()
	dir, err := home.Find(u.dir(), os.Getenv)
	if err != nil {
		u.t.Fatal(err)
	}
	list := make([]byte, 64<<10)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, unix.KEY_SPEC_USER_KEYRING, list, 0)
	if err != nil || n > len(list) {
		u.t.Fatalf("the user keyring of the kernel: %d bytes, %v", n, err)
	}
	var keys []int
	for ; n >= 4; n -= 4 {
		key := int(int32(binary.NativeEndian.Uint32(list[n-4:])))
		about, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, key)
		if err == nil && strings.Contains(about, ";mcp-credential:"+dir.ID+":") {
			keys = append(keys, key)
		}
	}
	return keys
}

// loseHotKey takes the one hot key away: by KEYCTL_UNLINK, which is what a reboot amounts to, or KEYCTL_REVOKE.
func (u *user) loseHotKey(how int) {
	u.t.Helper()
	keys := u.hotKeys()
	if len(keys) != 1 {
		u.t.Fatalf("%d hot keys", len(keys))
	}
	if _, err := unix.KeyctlInt(how, keys[0], unix.KEY_SPEC_USER_KEYRING, 0, 0); err != nil {
		u.t.Fatal(err)
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
	for how, call := range map[string]int{"unlinked": unix.KEYCTL_UNLINK, "revoked": unix.KEYCTL_REVOKE} {
		u.loseHotKey(call)
		r := u.run("get", "--verbose", w.ServerURL())
		if r.code != 0 || r.stdout != token+"\n" || strings.Count(r.stderr, asked) != 1 {
			t.Errorf("%s: %d %s", how, r.code, r.stderr)
		}
		measure(t, "get after the hot key was "+how+", encrypted file", r.took)
		r = u.run("get", "--verbose", w.ServerURL())
		if r.code != 0 || r.stdout != token+"\n" || strings.Contains(r.stderr, asked) {
			t.Errorf("warm, after %s: %d %s", how, r.code, r.stderr)
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

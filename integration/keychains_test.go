//go:build integration && linux

package integration

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// place is one real keychain, chosen by the product itself.
type place struct {
	tier string
	user func(t *testing.T) *user
	left func(u *user) string // what the keychain still holds of ours, for people
}

func places() map[string]place {
	return map[string]place{
		"gnome-keyring": {
			tier: "Secret Service (gnome-keyring)",
			user: func(t *testing.T) *user {
				u := bareUser(t)
				startDesktop(t, u, u.path("bus"))
				return u
			},
			left: func(u *user) string { return (&desktop{u: u}).items() },
		},
		"pass": {tier: "pass", user: withPass, left: func(u *user) string {
			out := u.finish(u.command("pass", "ls")).stdout
			files, _ := filepath.Glob(u.path(".password-store", "mcp-credential", "*", "*.gpg"))
			return strings.Join(files, " ") + part(out, ".0", ".1")
		}},
		"encrypted file": {tier: "encrypted file", user: func(t *testing.T) *user { return newUser(t) }, left: func(u *user) string {
			files, _ := filepath.Glob(u.dir("keychain", "*.*"))
			return strings.Join(files, " ")
		}},
	}
}

// part returns text if it has one of the marks.
func part(text string, marks ...string) string {
	for _, m := range marks {
		if strings.Contains(text, m) {
			return text
		}
	}
	return ""
}

// withPass is an account with a gpg key without a passphrase and a password store that uses it. Its GnuPG home is not the
// default one: every account whose home is would share one agent where the system keeps sockets below /run/user.
func withPass(t *testing.T) *user {
	u := bareUser(t)
	u.write("gnupg/.keep", "")
	u.env["GNUPGHOME"] = u.path("gnupg")
	t.Cleanup(func() {
		end := exec.Command("gpgconf", "--kill", "all")
		end.Env = u.environ()
		_ = end.Run()
	})
	const name = "integration@example.invalid"
	for _, c := range []*exec.Cmd{
		u.command("gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key", name, "future-default", "default", "never"),
		u.command("pass", "init", name),
	} {
		if r := u.finish(c); r.code != 0 {
			t.Fatalf("%v: %d %s", c.Args, r.code, r.stderr)
		}
	}
	return u
}

// TestKeychains goes through a sign-in's life with each keychain: login, warm get, expiry, silent refresh, logout. At no
// time can anything that the server ever issued be read from the disk.
func TestKeychains(t *testing.T) {
	for name, p := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := p.user(t)
			w := strictWorld(t, func(o *fakeworld.Options) { o.AccessTTL = 3 * time.Second })
			u.must("login", w.ServerURL())
			if l := u.line(w.ServerURL()); l.Keychain != p.tier || l.State != helper.StateValid {
				t.Errorf("status: %+v", l)
			}
			if p.left(u) == "" {
				t.Error("the keychain shows nothing after a login")
			}
			u.holdsNoSecret(w)
			lives(t, u, w, name)
			u.holdsNoSecret(w)
			u.must("logout", w.ServerURL())
			u.refused(u.run("get", "--prompt", "never", w.ServerURL()), 3)
			if left := p.left(u); left != "" {
				t.Errorf("left in the keychain after logout: %s", left)
			}
			if s := w.Stats(); s.Revocations == 0 || s.Reuse != 0 || len(u.cachedTokens()) != 0 {
				t.Errorf("revocations %d, reuse %d, cached tokens %d", s.Revocations, s.Reuse, len(u.cachedTokens()))
			}
			u.holdsNoSecret(w)
		})
	}
}

// lives has the token expire twice and wants one request for each.
func lives(t *testing.T, u *user, w *fakeworld.World, name string) {
	t.Helper()
	server, last := w.ServerURL(), ""
	for range 2 {
		u.expired(server)
		w.ResetStats()
		r := u.run("get", server)
		token := strings.TrimSpace(r.stdout)
		if r.code != 0 || token == last {
			t.Fatalf("%d %s", r.code, r.stderr)
		}
		mustAccept(t, server, token)
		if again := u.must("get", server); again != token {
			t.Error("the second get gave another token")
		}
		if s := w.Stats(); s.HTTP["POST /token"] != 1 || s.HTTP["POST /token"]+s.MCP[fakeworld.MCPOK] != total(s.HTTP) {
			t.Errorf("requests: %v", s.HTTP)
		}
		measure(t, "silent refresh, "+name, r.took)
		last = token
	}
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// holdsNoSecret reads every file of the account and wants none of the secrets that the server has handed out or seen.
func (u *user) holdsNoSecret(w *fakeworld.World) {
	u.t.Helper()
	secrets, files := w.Secrets(), 0
	err := filepath.WalkDir(u.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		files++
		for _, s := range secrets {
			if bytes.Contains(data, []byte(s)) || strings.Contains(path, s) {
				u.t.Errorf("%s holds a secret in the clear (%.3s...)", path, s)
			}
		}
		return err
	})
	if err != nil || files < 3 || len(secrets) < 2 {
		u.t.Errorf("looked for %d secrets in %d files: %v", len(secrets), files, err)
	}
}

// TestScrubbedBusAddress takes the bus address out of the environment, as hosts do: the one of the user's login is found
// at its usual place.
func TestScrubbedBusAddress(t *testing.T) {
	socket := busPlace(t)
	u := bareUser(t)
	d := startDesktop(t, u, socket)
	w := strictWorld(t)
	u.must("login", w.ServerURL())
	answersAll(t, u, w.ServerURL())
	scrubbed := u.with("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
	if l := scrubbed.line(w.ServerURL()); !strings.HasPrefix(l.Keychain, "Secret Service") || d.items() == "" {
		t.Errorf("status: %+v", l)
	}
	scrubbed.must("logout", w.ServerURL())
	if left := d.items(); left != "" {
		t.Errorf("left in the keyring: %s", left)
	}
}

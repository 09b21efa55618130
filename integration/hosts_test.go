//go:build integration && linux

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// host is how a program calls us: its environment, stdin, shell and folder (Claude Code 2.1 headersHelper in project
// scope, Codex CLI 0.169 http_headers_helper).
type host struct {
	call  func(t *testing.T, u *user, server string) *exec.Cmd
	parse func(stdout string) string
}

func hosts() map[string]host {
	return map[string]host{
		"Claude Code": {parse: fromHeaders, call: func(t *testing.T, u *user, server string) *exec.Cmd {
			scrubbed := u.with("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "SSH_AUTH_SOCK",
				"CLAUDE_CODE_MCP_SERVER_NAME=example", "CLAUDE_CODE_MCP_SERVER_URL="+server)
			u.write(".claude/.keep", "")
			c := scrubbed.command("/bin/sh", "-c", bin("mcp-credential")+" get")
			c.Dir, c.Stdin = u.path(".claude"), openSocket(t)
			return c
		}},
		"Claude Code, URL in the command": {parse: fromHeaders, call: func(t *testing.T, u *user, server string) *exec.Cmd {
			c := u.with("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS").command("/bin/sh", "-c", bin("mcp-credential")+" get -o headers "+server)
			c.Stdin = openSocket(t)
			return c
		}},
		"Codex": {parse: fromHeaders, call: func(t *testing.T, u *user, server string) *exec.Cmd {
			c := u.command("sh", "-c", bin("mcp-credential")+" get --output headers "+server)
			c.Env = []string{"HOME=" + u.home, "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "LOGNAME=somebody", "PATH=" + os.Getenv("PATH"),
				"SHELL=/bin/sh", "TERM=dumb", "TMPDIR=/tmp", "TZ=UTC", "USER=somebody"}
			return c
		}},
		"HOME only": {parse: strings.TrimSpace, call: func(t *testing.T, u *user, server string) *exec.Cmd {
			c := u.command(bin("mcp-credential"), "get", server)
			c.Env, c.Dir = []string{"HOME=" + u.home}, "/"
			return c
		}},
		"a person's shell": {parse: strings.TrimSpace, call: func(t *testing.T, u *user, server string) *exec.Cmd {
			return u.command(bin("mcp-credential"), "get", server)
		}},
	}
}

// answersAll wants the same warm answer for every host, and a refresh that each of them can start.
func answersAll(t *testing.T, u *user, server string) {
	t.Helper()
	for name, h := range hosts() {
		t.Run(name, func(t *testing.T) {
			u := u.in(t)
			token := u.must("get", server)
			if r := u.finish(h.call(t, u, server)); r.code != 0 || h.parse(r.stdout) != token || r.stderr != "" {
				t.Errorf("warm: %d, %d bytes, %s", r.code, len(r.stdout), r.stderr)
			}
			u.must("erase", server)
			r := u.finish(h.call(t, u, server))
			fresh := h.parse(r.stdout)
			if r.code != 0 || fresh == token || r.stderr != "" {
				t.Fatalf("cold: %d, %d bytes, %s", r.code, len(r.stdout), r.stderr)
			}
			mustAccept(t, server, fresh)
			if u.must("get", server) != fresh {
				t.Error("the host has an answer of its own")
			}
		})
	}
}

// in is the same account for a subtest.
func (u *user) in(t *testing.T) *user {
	other := u.with()
	other.t = t
	return other
}

func TestHosts(t *testing.T) {
	w := strictWorld(t)
	u := newUser(t)
	u.must("login", w.ServerURL())
	w.ResetStats()
	answersAll(t, u, w.ServerURL())
	if s := w.Stats(); s.HTTP["POST /token"] != len(hosts()) || s.Reuse != 0 {
		t.Errorf("requests %v, reuse %d", s.HTTP, s.Reuse)
	}
}

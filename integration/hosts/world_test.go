//go:build hosts && linux

package hosts

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// life is how long access tokens live here, and between how far calls are apart, so that each needs another one.
const (
	life    = 3 * time.Second
	between = 3500 * time.Millisecond
)

// server is an MCP server that forgets its sessions when it restarts.
type server struct {
	mu      sync.Mutex
	handler http.Handler
}

func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = mcpserver.Handler()
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	h := s.handler
	s.mu.Unlock()
	h.ServeHTTP(w, r)
}

// place is one person's account on this machine, with a server to sign in to.
type place struct {
	t      *testing.T
	home   string
	world  *fakeworld.World
	server *server
}

func newPlace(t *testing.T) *place { return newPlaceWith(t, life) }

// newPlaceWith is a place whose access tokens live for that long.
func newPlaceWith(t *testing.T, life time.Duration) *place {
	t.Helper()
	s := &server{handler: mcpserver.Handler()}
	w, err := fakeworld.Start(fakeworld.Options{AccessTTL: life, Rotate: true, RevokeOnReuse: true, MCP: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	p := &place{t: t, home: t.TempDir(), world: w, server: s}
	p.write(".mcp-credential/config.toml", fmt.Sprintf("store = \"file\"\npassphrase_file = %q\n[servers.%q]\nname = \"demo\"\n", p.path("passphrase"), w.ServerURL()))
	p.write("passphrase", "a passphrase of this test\n")
	return p
}

func (p *place) path(name string) string { return filepath.Join(p.home, name) }

func (p *place) write(name, text string) {
	p.t.Helper()
	path := p.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// command is a program with the environment of a person without a desktop.
func (p *place) command(ctx context.Context, env []string, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append([]string{"HOME=" + p.home, "PATH=" + node + ":" + os.Getenv("PATH"), "LANG=C.UTF-8", "TERM=dumb", "NO_COLOR=1"}, env...)
	c.Dir = p.path("work")
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// setup has our own command wire a host.
func (p *place) setup(host string, flags ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	if out, err := p.command(ctx, nil, bin("mcp-credential"), append([]string{"setup", host, "--yes"}, flags...)...).CombinedOutput(); err != nil {
		p.t.Errorf("setup: %v: %s", err, out)
	}
}

// login signs in from another terminal.
func (p *place) login() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	c := p.command(ctx, []string{"BROWSER=" + bin("fakebrowser"), "DISPLAY=:0"}, bin("mcp-credential"), "login", p.world.ServerURL())
	if out, err := c.CombinedOutput(); err != nil {
		p.t.Errorf("login: %v: %s", err, out)
	}
}

// downTime is how long a server is down that restarts.
const downTime = time.Second

// restart takes the server down for a moment, and its sessions with it.
func (p *place) restart() {
	if err := p.world.StopServers(); err != nil {
		p.t.Error(err)
	}
	p.server.forget()
	time.AfterFunc(downTime, func() {
		if err := p.world.StartServers(); err != nil {
			p.t.Error(err)
		}
	})
}

// echoOf finds the server's tool among those that a host offers, whatever the host puts before its name, and ours.
func echoOf(tools []string) (echo, signIn string) {
	for _, name := range tools {
		switch {
		case strings.HasSuffix(name, "echo"):
			echo = name
		case strings.Contains(name, "sign_in_to_"):
			signIn = name
		}
	}
	return echo, signIn
}

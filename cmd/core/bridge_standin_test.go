package core

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

func TestBridgeStandIn(t *testing.T) {
	bin := programs(t)
	t.Run("copilot-cli 2779: from sign-in to sign-out", func(t *testing.T) { standsIn(t, bin) })
	t.Run("forgetful", func(t *testing.T) { standsInForgetful(t, bin) })
	t.Run("in CI", func(t *testing.T) { failsInCI(t, bin) })
}

// tools asks for the list and returns the names in it.
func (b *bridged) tools() (names []string) {
	b.t.Helper()
	b.send(`{"jsonrpc":"2.0","id":"tools","method":"tools/list"}`)
	for r := b.next(); ; r = b.next() {
		if r.ID != "tools" {
			continue
		}
		var list struct{ Tools []struct{ Name string } }
		if err := json.Unmarshal(r.Result, &list); err != nil {
			b.t.Fatalf("%s: %v", r.Result, err)
		}
		for _, one := range list.Tools {
			names = append(names, one.Name)
		}
		return names
	}
}

// call calls a tool without arguments and returns what it says.
func (b *bridged) call(tool string) string {
	b.t.Helper()
	b.send(`{"jsonrpc":"2.0","id":"call","method":"tools/call","params":{"name":"` + tool + `","arguments":{}}}`)
	r := b.next()
	if r.ID != "call" || r.Result == nil {
		b.t.Fatalf("%+v", r)
	}
	return string(r.Result)
}

// changed waits for the news that the tools have changed.
func (b *bridged) changed() {
	b.t.Helper()
	for {
		select {
		case line := <-b.lines:
			if strings.Contains(line, "notifications/tools/list_changed") {
				return
			}
		case <-time.After(slow):
			b.t.Fatal("the host hears of no change")
		}
	}
}

func (b *bridged) wantTools(want ...string) {
	b.t.Helper()
	if got := b.tools(); !slices.Equal(got, want) {
		b.t.Fatalf("the tools are %q, not %q", got, want)
	}
}

// A host that starts with nobody signed in is led to a sign-in by a code; in the next run, with the server down, it has the tools
// from memory, and calls them when the server is up; what is remembered is sealed, and goes with the sign-in.
func standsIn(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	home := homeDir(t)
	b := startBridge(t, bin, home, nil, w.ServerURL(), "--name", "demo")
	b.hello("{}")
	b.ready()
	b.wantTools("sign_in_to_demo")
	said := b.call("sign_in_to_demo")
	address := regexp.MustCompile(`http://\S+user_code=[A-Z0-9-]+`).FindString(said)
	if address == "" || !strings.Contains(said, w.ServerURL()+" receive access tokens of "+w.Issuer()) {
		t.Fatalf("the tool says %s", said)
	}
	ctx, cancel := context.WithTimeout(t.Context(), slow)
	defer cancel()
	if _, err := fakeworld.Visit(ctx, address); err != nil {
		t.Fatal(err)
	}
	b.changed()
	b.wantTools("echo", "whoami")
	b.end()

	memory := filepath.Join(home, "cred", "memory")
	files, _ := filepath.Glob(filepath.Join(memory, "*", "*"))
	if len(files) != 1 {
		t.Fatalf("%d files are remembered", len(files))
	}
	if data, err := os.ReadFile(files[0]); err != nil || bytes.Contains(data, []byte("echo")) {
		t.Errorf("what is remembered lies open: %v", err)
	}
	if err := w.StopServers(); err != nil {
		t.Fatal(err)
	}
	b = startBridge(t, bin, home, nil, w.ServerURL(), "--name", "demo", "--start-wait", "200ms")
	began := time.Now()
	b.hello("{}")
	b.ready()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the host had its answer after %s", took)
	}
	b.wantTools("echo", "whoami")
	b.echo(1)
	if err := w.StartServers(); err != nil {
		t.Fatal(err)
	}
	if r := b.next(); r.ID != float64(1) || !strings.Contains(string(r.Result), "hi") {
		t.Fatalf("%+v", r)
	}
	succeed(t, bin, home, nil, "logout", w.ServerURL())
	b.end()
	if left, _ := filepath.Glob(filepath.Join(memory, "*", "*")); len(left) != 0 {
		t.Errorf("after logout: %q", left)
	}
}

// The configuration says whether anything is remembered.
func standsInForgetful(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	home := homeDir(t)
	succeed(t, bin, home, []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}, "login", w.ServerURL())
	if err := os.WriteFile(filepath.Join(home, "cred", "config.toml"), []byte("remember = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := startBridge(t, bin, home, nil, w.ServerURL())
	b.hello("{}")
	b.ready()
	b.wantTools("echo", "whoami")
	b.end()
	if _, err := os.Stat(filepath.Join(home, "cred", "memory")); err == nil {
		t.Error("something is remembered")
	}
}

// In CI nobody could sign in: a server that cannot be used is an error there.
func failsInCI(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	b := startBridge(t, bin, homeDir(t), []string{"CI=true"}, w.ServerURL())
	b.hello("{}")
	b.fails(w.ServerURL(), "nobody has signed in")
}

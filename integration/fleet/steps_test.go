//go:build fleet && linux

package fleet

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"
)

// steps are where a machine can be killed in a refresh, each by what its trace begins with, and what that leaves.
var steps = []struct {
	at   string
	lost bool // in the window: the server has spent the refresh token, and the only copy of the next one dies
	held bool // the row is marked: only this machine goes on at once
}{
	{at: "refresh: locked"},
	{at: "fleet: the row is locked"},
	{at: "fleet: this machine has begun", held: true},
	{at: "refresh: one token request", held: true},
	{at: "the rotated refresh token is durable", held: true},
	{at: "fleet: written, not committed", held: true},
	{at: "fleet: committed"},
	{at: "refresh: the access token is cached"},
	{at: "refresh: recorded"},
	{at: "refresh: answered with another refresh token", held: true, lost: true},
}

// TestKilledAtEachStep kills a machine at each step of a refresh. Another machine does not spend its refresh token again, and
// itself it goes on at once; where it had committed, everybody does.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.machine(), f.machine()
	a.must("login", f.world.ServerURL())
	b.must("get", "--prompt", "never", f.world.ServerURL())
	for _, step := range steps {
		plan, _ := json.Marshal(map[string]any{"faults": []map[string]any{{"at": step.at, "do": "kill"}}})
		a.must("erase", f.world.ServerURL()) // nobody has a token, nor the row
		b.must("erase", f.world.ServerURL())
		c := a.command("refresh", f.world.ServerURL(), "--apart", "--verbose")
		c.Path = bin("faulty/mcp-credential-core")
		c.Env = append(c.Env, "FAULTS="+string(plan))
		out, _ := c.CombinedOutput()
		if c.ProcessState.ExitCode() != -1 {
			t.Fatalf("%s: it was not killed: %v\n%s", step.at, c.ProcessState, out)
		}
		before := f.world.Stats()
		if r := b.get("--wait", "3s"); step.held && r.code != 4 || !step.held && r.code != 0 {
			t.Errorf("%s: another machine: %v", step.at, r)
		}
		if s := f.world.Stats(); step.held && s.Token["refresh_token"] != before.Token["refresh_token"] {
			t.Errorf("%s: another machine has spent a refresh token", step.at)
		}
		if step.lost {
			a.must("login", "--force", f.world.ServerURL())
		}
		began := time.Now()
		token := a.must("get", "--prompt", "never", f.world.ServerURL())
		if !f.accepts(token) {
			t.Errorf("%s: the token does not serve", step.at)
		}
		took := time.Since(began)
		r := b.get()
		for end := time.Now().Add(10 * time.Second); r.code == 4 && time.Now().Before(end); {
			r = b.get()
		}
		if r.stdout != token {
			t.Errorf("%s: the machines have different tokens: %v", step.at, r)
		}
		t.Logf("%s: the same machine had a token after %v", step.at, took)
	}
	if s := f.world.Stats(); s.Reuse != 0 || s.GrantsRevoked != 0 {
		t.Errorf("reuse %d", s.Reuse)
	}
	if left, _ := filepath.Glob(filepath.Join(a.home, ".mcp-credential", "*", "*0000000000000000000*")); len(left) > 0 {
		t.Errorf("still parked: %v", left)
	}
}

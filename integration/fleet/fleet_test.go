//go:build fleet && linux

package fleet

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// TestLife has one machine sign in and others use that, with nothing but their configuration; then one signs out for all.
func TestLife(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b, c := f.machine(), f.machine(), f.machine()
	if r := b.get(); r.code != 3 {
		t.Fatalf("nobody has signed in: %v", r)
	}
	a.must("login", f.world.ServerURL())
	token := a.must("get", f.world.ServerURL())
	for _, m := range []*machine{b, c} {
		if r := m.get(); r.stdout != token {
			t.Fatalf("another machine gets another token: %v", r)
		}
	}
	if s := f.world.Stats(); s.Token["refresh_token"] != 0 || s.Authorizations != 1 {
		t.Errorf("requests %v, %d authorizations", s.Token, s.Authorizations)
	}
	if r := b.run("login", f.world.ServerURL()); r.code != 0 || !strings.Contains(r.stderr, "already signed in") {
		t.Errorf("a second sign-in: %v", r)
	}
	// A server refuses the token: one machine replaces it, the others get that one.
	next := f.another(b)
	if next == token || f.world.Stats().TokenOK["refresh_token"] != 1 {
		t.Fatalf("requests %v", f.world.Stats().Token)
	}
	if got := f.another(c); got != next || f.world.Stats().TokenOK["refresh_token"] != 1 {
		t.Errorf("requests %v", f.world.Stats().Token)
	}
	f.secretsAreSealed(a, b, c)
	// Signing in again, with another grant: everybody has it at the next refresh.
	c.must("login", "--force", f.world.ServerURL())
	if got := f.another(a); !f.accepts(got) || f.world.Stats().Reuse != 0 {
		t.Error("the new sign-in does not reach the others")
	}
	b.must("logout", f.world.ServerURL())
	a.must("erase", f.world.ServerURL())
	if r := a.get(); r.code != 3 {
		t.Errorf("after the sign-out: %v", r)
	}
	c.must("login", f.world.ServerURL())
	for _, m := range []*machine{a, b} {
		if r := m.get(); r.code != 0 || !f.accepts(r.stdout) {
			t.Errorf("after a new sign-in: %v", r)
		}
	}
}

// another is the token that a machine gets after its own has been refused.
func (f *fleet) another(m *machine) string {
	f.t.Helper()
	m.must("erase", f.world.ServerURL())
	return m.must("get", "--prompt", "never", f.world.ServerURL())
}

// secretsAreSealed looks for refresh tokens, access tokens, the password and the key where they must not be.
func (f *fleet) secretsAreSealed(machines ...*machine) {
	f.t.Helper()
	key, err := os.ReadFile(f.key)
	if err != nil {
		f.t.Fatal(err)
	}
	secrets := append(f.world.Secrets(), strings.TrimSpace(string(key)), "for-a-test")
	places := map[string]string{"the table": f.db.SQL("fleet", "select *, encode(sealed_grant, 'escape'), encode(sealed_tokens, 'escape') from mcp_credential_signins"), "the log": f.db.Log()}
	for _, m := range machines {
		_ = filepath.WalkDir(filepath.Join(m.home, ".mcp-credential"), func(path string, d os.DirEntry, _ error) error {
			if data, err := os.ReadFile(path); err == nil {
				places[path] = string(data)
			}
			return nil
		})
	}
	for place, text := range places {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				f.t.Errorf("%s holds a secret", place)
			}
		}
	}
}

// TestRace has ten machines ask fifty times each at one expiry.
func TestRace(t *testing.T) {
	const machines, gets = 10, 50
	f := newFleet(t, func(o *fakeworld.Options) { o.AccessTTL = 20 * time.Second })
	all := []*machine{f.machine()}
	all[0].must("login", f.world.ServerURL())
	for range machines - 1 {
		all = append(all, f.machine())
	}
	for _, m := range all {
		if r := m.get(); r.code != 0 {
			t.Fatal(r)
		}
	}
	f.world.Set(func(b *fakeworld.Behaviour) { b.Token = map[string]any{"expires_in": 3600} })
	f.world.ResetStats()
	<-time.After(20 * time.Second)
	var work sync.WaitGroup
	var mu sync.Mutex
	tokens, failed, slowest := map[string]int{}, 0, time.Duration(0)
	for _, m := range all {
		for range gets {
			work.Go(func() {
				r := m.get("--wait", "60s")
				mu.Lock()
				defer mu.Unlock()
				slowest = max(slowest, r.took)
				if r.code != 0 {
					if failed++; failed < 5 {
						t.Error(r)
					}
					return
				}
				tokens[r.stdout]++
			})
		}
	}
	work.Wait()
	s := f.world.Stats()
	t.Logf("%d machines, %d gets each: %d token requests, %d tokens, %d failures, the slowest took %v", machines, gets, s.Token["refresh_token"], len(tokens), failed, slowest)
	if s.Token["refresh_token"] != 1 || len(tokens) != 1 || failed > 0 || s.Reuse > 0 {
		t.Errorf("token requests %v, reuse %d", s.Token, s.Reuse)
	}
}

// TestDatabaseAway has cached tokens serve while the database is away, then exit 4 within the deadline, and all of it end by itself.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"killed", "partitioned"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			a, b := f.machine(), f.machine()
			a.must("login", f.world.ServerURL())
			token := b.must("get", "--prompt", "never", f.world.ServerURL())
			away, back := f.db.Kill, f.db.Start
			if how == "partitioned" { // packets arrive, nobody answers
				away, back = f.db.Freeze, f.db.Thaw
			}
			away()
			if r := b.get(); r.stdout != token {
				t.Errorf("a cached token: %v", r)
			}
			b.must("erase", f.world.ServerURL())
			for _, m := range []*machine{b, f.machine()} {
				if r := m.get("--wait", "8s"); r.code != 4 || r.took > 12*time.Second || strings.Contains(r.stderr, "for-a-test") {
					t.Errorf("without a database: %v", r)
				} else {
					t.Logf("exit 4 after %v: %s", r.took, r.stderr)
				}
			}
			back()
			r := b.get()
			for end := time.Now().Add(time.Minute); r.code == 4 && time.Now().Before(end); {
				r = b.get()
			}
			if r.code != 0 || !f.accepts(r.stdout) {
				t.Errorf("with the database back: %v", r)
			}
			if s := f.world.Stats(); s.Reuse > 0 {
				t.Errorf("reuse %d", s.Reuse)
			}
		})
	}
}

// TestRoles has a machine whose database role may only get: it refreshes, and neither signs in nor out.
func TestRoles(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	manual, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, statements, found := strings.Cut(string(manual), "```sql\n")
	if statements, _, _ = strings.Cut(statements, "```"); !found {
		t.Fatal("docs/fleet.md has no statements")
	}
	f.db.SQL("fleet", statements+"; alter role fleet_signin password 'for-a-test'; alter role fleet_get password 'for-a-test'")
	a, b := f.machine(), f.machine()
	a.configure(f.db.URL("fleet_signin", "fleet", ""))
	b.configure(f.db.URL("fleet_get", "fleet", ""))
	if r := b.run("login", f.world.ServerURL()); r.code != 5 || f.world.Stats().Authorizations != 0 {
		t.Errorf("a sign-in where one may only get: %v", r)
	}
	a.must("login", f.world.ServerURL())
	a.must("erase", f.world.ServerURL())
	token := b.must("get", "--prompt", "never", f.world.ServerURL())
	if s := f.world.Stats(); s.TokenOK["refresh_token"] != 1 || a.get().stdout != token {
		t.Errorf("requests %v", s.Token)
	}
	if r := b.run("logout", f.world.ServerURL()); r.code != 5 || f.world.Stats().Revocations != 0 {
		t.Errorf("a sign-out where one may only get: %v", r)
	}
	if r := b.run("login", "--force", f.world.ServerURL()); r.code != 5 {
		t.Errorf("a forced sign-in where one may only get: %v", r)
	}
	if r := a.get(); r.stdout != token {
		t.Errorf("the sign-in is gone: %v", r)
	}
	a.must("logout", f.world.ServerURL())
}

// TestRotation gives the fleet another key while its machines go on.
func TestRotation(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.machine(), f.machine()
	a.must("login", f.world.ServerURL())
	b.must("get", "--prompt", "never", f.world.ServerURL())
	if r := a.run("fleet", "key", f.key); r.code != 2 {
		t.Errorf("a key file is written over: %v", r)
	}
	a.must("fleet", "key", "--add", f.key)
	if r := a.run("fleet", "rotate"); r.code != 0 || !strings.Contains(r.stderr, "newest key: 1") {
		t.Errorf("rotate: %v", r)
	}
	if r := a.run("fleet", "rotate"); r.code != 0 || !strings.Contains(r.stderr, "newest key: 0") {
		t.Errorf("rotate: %v", r)
	}
	a.must("fleet", "key", "--drop-old", f.key)
	for _, m := range []*machine{a, b, f.machine()} {
		if r := m.get(); !f.accepts(r.stdout) {
			t.Errorf("after the rotation: %v", r)
		}
		m.must("erase", f.world.ServerURL())
		if r := m.get(); !f.accepts(r.stdout) {
			t.Errorf("a refresh after the rotation: %v", r)
		}
	}
	if s := f.world.Stats(); s.Reuse != 0 {
		t.Errorf("reuse %d", s.Reuse)
	}
}

// TestBridge has a bridge on a machine where nobody has signed in.
func TestBridge(t *testing.T) {
	t.Parallel()
	f := newFleet(t, func(o *fakeworld.Options) { o.MCP = mcpserver.Handler() })
	f.machine().must("login", f.world.ServerURL())
	c := f.machine().command("bridge", "--strict", f.world.ServerURL())
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(in, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"me","version":"1"}}}`+"\n")
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = in.Close()
	_ = c.Wait()
	if err != nil || !strings.Contains(line, `"serverInfo"`) || f.world.Stats().Token["refresh_token"] != 0 {
		t.Errorf("%v: %s", err, line)
	}
}

// TestPartitionInTheMiddle cuts a machine off from the database between the token request and the commit.
func TestPartitionInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]struct{ away, back func(*fleet) }{
		"partition": {func(f *fleet) { f.db.Freeze() }, func(f *fleet) { f.db.Thaw() }},
		"crash":     {func(f *fleet) { f.db.Kill() }, func(f *fleet) { f.db.Start() }},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			a, b := f.machine(), f.machine()
			a.must("login", f.world.ServerURL())
			b.must("get", "--prompt", "never", f.world.ServerURL())
			f.world.Set(func(k *fakeworld.Behaviour) {
				k.Faults = []fakeworld.Fault{{On: fakeworld.OnToken, Delay: fakeworld.Duration(time.Second)}}
			})
			a.must("erase", f.world.ServerURL())
			ended := make(chan result, 1)
			go func() { ended <- a.get() }()
			for f.world.Stats().HTTP["POST /token"] < 2 { // the first was the sign-in's
				<-time.After(5 * time.Millisecond)
			}
			cut.away(f)
			r := <-ended
			if r.code != 4 || r.took > 10*time.Second {
				t.Errorf("cut off: %v", r)
			}
			cut.back(f)
			token := a.get("--wait", "40s")
			if token.code != 0 || !f.accepts(token.stdout) {
				t.Errorf("afterwards: %v", token)
			}
			b.must("erase", f.world.ServerURL())
			if r := b.get("--wait", "40s"); r.code != 0 || !f.accepts(r.stdout) {
				t.Errorf("another machine afterwards: %v", r)
			}
			if s := f.world.Stats(); s.Reuse != 0 {
				t.Errorf("reuse %d", s.Reuse)
			}
		})
	}
}

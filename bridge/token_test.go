package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// A storm of refused requests is one question for another token, and every one of them succeeds.
func TestStormSharesOneRefresh(t *testing.T) {
	const n = 60
	var first sync.WaitGroup
	first.Add(n)
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		if a.header.Get("Authorization") == "Bearer old" {
			first.Done()
			first.Wait()
		}
		return guarded(w, a, "new")
	})
	v := &vault{give: func(n Need, _ int) (credential.Token, error) {
		if n.Refused.IsZero() {
			return good("old"), nil
		}
		time.Sleep(20 * time.Millisecond)
		return good("new"), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v})
	for i := range n {
		r.send(call1(fmt.Sprint(i), "x"))
	}
	for range n {
		r.holds(`"text":"ok"`)
	}
	if refusals := v.refusals(); len(refusals) != 1 || refusals[0].Challenge != `Bearer error="invalid_token"` || !refusals[0].Refused.Equal(credential.NewSecret("old")) {
		t.Errorf("asked %d times for another token: %v", len(refusals), refusals)
	}
	if got := len(f.arrivals("POST tools/call")); got != 2*n {
		t.Errorf("%d requests for %d calls", got, n)
	}
}

// A token that the server refuses although it is new is an error for the call, and no storm of refreshes.
func TestRefusedForGood(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool { return guarded(w, a, "never") })
	var count atomic.Int32
	v := &vault{give: func(n Need, _ int) (credential.Token, error) { return good(fmt.Sprint("t", count.Add(1))), nil }}
	r := run(t, Config{URL: f.url(), Tokens: v})
	for i := range 5 {
		r.send(call1(fmt.Sprint(i), "x"))
		r.holds(`"error"`, `"kind":"refused"`)
	}
	if got := len(v.refusals()); got != 1 {
		t.Errorf("asked %d times for another token", got)
	}
	if got := len(f.arrivals("POST tools/call")); got != 6 {
		t.Errorf("%d requests for 5 calls", got)
	}
}

// A 403 that asks for scopes is passed on as such; one without a challenge is the server's last word.
func TestForbidden(t *testing.T) {
	challenge := `Bearer error="insufficient_scope", scope="a b"`
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		if a.header.Get("Authorization") == "Bearer more" {
			return false
		}
		if digText(a.m.params, "name") == "scoped" {
			w.Header().Set("WWW-Authenticate", challenge)
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	v := &vault{give: func(n Need, _ int) (credential.Token, error) {
		if n.Challenge == challenge {
			return good("more"), nil
		}
		return good("less"), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v})
	r.send(call1("1", "plain"))
	r.holds(`"id":1`, "403 Forbidden")
	r.send(call1("2", "scoped"))
	r.want(result("2", "ok"))
	if len(v.refusals()) != 1 {
		t.Errorf("%v", v.refusals())
	}
}

// No request carries a token past its time, and inside the window a new one is looked for while the old one serves.
func TestExpiryAndWindow(t *testing.T) {
	var serial atomic.Int32
	const life = 200 * time.Millisecond
	var mu sync.Mutex
	issued := map[string]time.Time{}
	v := &vault{}
	v.give = func(Need, int) (credential.Token, error) {
		mu.Lock()
		defer mu.Unlock()
		name := fmt.Sprint("t", serial.Add(1))
		issued[name] = time.Now()
		return lasting(name, life), nil
	}
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		mu.Lock()
		defer mu.Unlock()
		if at := issued[a.header.Get("Authorization")[len("Bearer "):]]; at.IsZero() || time.Since(at) > life {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	})
	var renewed atomic.Int32
	r := run(t, Config{URL: f.url(), Tokens: v, Log: func(s string) {
		if s == "Refreshed MCP sign-in for test" {
			renewed.Add(1)
		}
	}, Name: "test"})
	r.hello("{}")
	end := time.Now().Add(5 * life)
	notices := 0
	for i := 0; time.Now().Before(end); i++ {
		r.send(call1(fmt.Sprint(i), "x"))
		line := r.next()
		for line == `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"mcp-credential","data":"Refreshed MCP sign-in for test"}}` {
			notices++
			line = r.next()
		}
		if line != result(fmt.Sprint(i), "ok") {
			t.Fatal(line)
		}
	}
	if refused := len(v.refusals()); refused > 0 || serial.Load() < 4 || notices < 2 {
		t.Errorf("%d tokens, %d refused, %d notices", serial.Load(), refused, notices)
	}
}

// A host that wants warnings only is not told of refreshes.
func TestNoticeLevel(t *testing.T) {
	f := serve(t, nil)
	v := &vault{give: func(_ Need, ask int) (credential.Token, error) {
		return lasting(fmt.Sprint(ask), 50*time.Millisecond), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v})
	r.hello("{}")
	r.send(`{"jsonrpc":"2.0","id":"level","method":"logging/setLevel","params":{"level":"warning"}}`)
	for !contains(r.next(), `"id":"level"`) {
	}
	for i := range 5 {
		time.Sleep(30 * time.Millisecond)
		r.send(call1(fmt.Sprint(i), "x"))
		r.want(result(fmt.Sprint(i), "ok"))
	}
	if v.asks < 3 {
		t.Errorf("asked %d times", v.asks)
	}
}

// An unknown server is first tried without a token; where that works, nobody is asked for anything.
func TestNoTokenNeeded(t *testing.T) {
	f := serve(t, nil)
	v := &vault{give: func(Need, int) (credential.Token, error) {
		return credential.Token{}, credential.Fail(credential.NotFound, "unknown", nil)
	}}
	r := run(t, Config{URL: f.url(), Tokens: v, Person: &guest{}, Headers: http.Header{"X-Key": {"k"}}})
	r.hello("{}")
	for i := range 20 {
		r.send(call1(fmt.Sprint(i), "x"))
		r.want(result(fmt.Sprint(i), "ok"))
	}
	for _, a := range f.arrivals("POST tools/call") {
		if a.header.Get("Authorization") != "" || a.header.Get("X-Key") != "k" {
			t.Errorf("%v", a.header)
		}
	}
	if v.asks > 5 {
		t.Errorf("asked %d times", v.asks)
	}
}

// A refresh that fails for a passing reason is waited for.
func TestPassingTrouble(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool { return guarded(w, a, "t") })
	v := &vault{give: func(_ Need, ask int) (credential.Token, error) {
		switch ask {
		case 1:
			return credential.Token{}, credential.Fail(credential.Network, "down", nil)
		case 2:
			return credential.Token{}, credential.Fail(credential.StillRefreshing, "busy", nil)
		}
		return good("t"), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v})
	r.send(call1("1", "x"))
	r.want(result("1", "ok"))

	v = &vault{give: func(Need, int) (credential.Token, error) {
		return credential.Token{}, &credential.Error{Kind: credential.Throttled, Text: "slow down", RetryAfter: time.Hour}
	}}
	r = run(t, Config{URL: f.url(), Tokens: v})
	r.send(call1("1", "x"))
	r.holds(`"id":1`, `"kind":"throttled"`, `"retryAfterSeconds":3600`)
}

// guest is a Person in the hands of a test.
type guest struct {
	mu        sync.Mutex
	visits    int
	unreached bool
	come      func(ctx context.Context, n Need, show Show) error
}

func (g *guest) Reachable() bool { return !g.unreached }

func (g *guest) SignIn(ctx context.Context, n Need, show Show) error {
	g.mu.Lock()
	g.visits++
	g.mu.Unlock()
	return g.come(ctx, n, show)
}

// locked is a server with a Tokens that has a token once somebody has signed in.
func locked(t *testing.T) (*fake, *vault, *atomic.Bool) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool { return guarded(w, a, "t") })
	open := &atomic.Bool{}
	v := &vault{give: func(Need, int) (credential.Token, error) {
		if open.Load() {
			return good("t"), nil
		}
		return credential.Token{}, &credential.Error{Kind: credential.NotFound, Text: "nobody has signed in", Server: "URL"}
	}}
	return f, v, open
}

func hint(error) string { return "sign in with: mcp-credential login URL" }

// Requests wait for one sign-in, and go on.
func TestWaitForPerson(t *testing.T) {
	f, v, open := locked(t)
	g := &guest{}
	go1 := make(chan struct{})
	g.come = func(_ context.Context, n Need, show Show) error {
		if show != nil || n.Challenge == "" {
			t.Errorf("%v", n)
		}
		<-go1
		open.Store(true)
		return nil
	}
	r := run(t, Config{URL: f.url(), Tokens: v, Person: g, Hint: hint})
	for i := range 20 {
		r.send(call1(fmt.Sprint(i), "x"))
	}
	eventually(t, "all refused", func() bool { return len(f.arrivals("POST tools/call")) == 20 })
	close(go1)
	for range 20 {
		r.holds(`"text":"ok"`)
	}
	if g.visits != 1 {
		t.Errorf("%d sign-ins were offered", g.visits)
	}
}

// When nobody comes requests fail in time with what to do, later ones at once; a person who is late still helps.
func TestNobodyComes(t *testing.T) {
	f, v, open := locked(t)
	g := &guest{}
	late := make(chan struct{})
	g.come = func(ctx context.Context, _ Need, _ Show) error {
		select {
		case <-late:
			open.Store(true)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r := run(t, Config{URL: f.url(), Tokens: v, Person: g, Hint: hint, SignInWait: 100 * time.Millisecond})
	r.send(call1("1", "x"))
	r.holds(`"id":1`, `"code":-32010`, `mcp-credential login URL`, "was not finished in 100ms")
	began := time.Now()
	r.send(call1("2", "x"))
	r.holds(`"id":2`, `"code":-32010`)
	if took := time.Since(began); took > 80*time.Millisecond {
		t.Errorf("it took %s to fail fast", took)
	}
	close(late)
	eventually(t, "the late sign-in", open.Load)
	eventually(t, "a call that works", func() bool {
		r.send(call1("3", "x"))
		return r.next() == result("3", "ok")
	})
	if g.visits != 1 {
		t.Errorf("%d sign-ins were offered", g.visits)
	}
}

// After a sign-in that came to nothing no other is offered, until there was a token.
func TestDeclined(t *testing.T) {
	f, v, open := locked(t)
	g := &guest{come: func(context.Context, Need, Show) error { return errors.New("declined") }}
	r := run(t, Config{URL: f.url(), Tokens: v, Person: g, Hint: hint})
	for i := range 3 {
		r.send(call1(fmt.Sprint(i), "x"))
		r.holds(`"code":-32010`, `"kind":"not-found"`, `"hint":"sign in with: mcp-credential login URL"`)
	}
	if g.visits != 1 {
		t.Errorf("%d sign-ins were offered", g.visits)
	}
	open.Store(true) // somebody has typed the command
	r.send(call1("4", "x"))
	r.want(result("4", "ok"))
}

// Where nobody can be reached the call fails at once, and the host's log says what to do, once.
func TestUnreachable(t *testing.T) {
	f, v, _ := locked(t)
	f.on = func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		return a.m.method == "tools/call" && guarded(w, a, "t")
	}
	r := run(t, Config{URL: f.url(), Tokens: v, Person: &guest{unreached: true}, Hint: hint, Name: "test"})
	r.hello("{}")
	eventually(t, "the handshake", func() bool { return len(f.arrivals("GET")) == 1 })
	r.send(call1("1", "x"))
	r.want(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","logger":"mcp-credential","data":"A sign-in is needed for test; sign in with: mcp-credential login URL"}}`)
	r.holds(`"id":1`, `"code":-32010`, "nobody has signed in; sign in with: mcp-credential login URL")
	r.send(call1("2", "x"))
	r.holds(`"id":2`, `"code":-32010`)
}

// A host that shows addresses is asked to, with an identifier that no server uses; its answer stays here.
func TestElicitation(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		works        bool
	}{
		{"accepted", `"result":{"action":"accept"}`, true},
		{"declined", `"result":{"action":"decline"}`, false},
		{"not shown", `"error":{"code":-32601,"message":"no"}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, v, open := locked(t)
			f.on = func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
				return a.m.method == "tools/call" && guarded(w, a, "t")
			}
			g := &guest{come: func(ctx context.Context, _ Need, show Show) error {
				if err := show(ctx, "http://127.0.0.1:1/page?a=1&b"); err != nil && !errors.Is(err, ErrNotShown) {
					return err
				}
				open.Store(true)
				return nil
			}}
			r := run(t, Config{URL: f.url(), Tokens: v, Person: g, Name: "test"})
			r.hello(`{"elicitation":{"url":{}}}`)
			eventually(t, "the handshake", func() bool { return len(f.arrivals("GET")) == 1 })
			r.send(call1("1", "x"))
			asked, err := peek([]byte(r.next()))
			if err != nil || asked.method != "elicitation/create" || digText(asked.params, "url") != "http://127.0.0.1:1/page?a=1&b" || digText(asked.params, "mode") != "url" || digText(asked.params, "elicitationId") == "" {
				t.Fatalf("%s %v", asked.raw, err)
			}
			r.send(`{"jsonrpc":"2.0","id":` + string(asked.id) + `,` + c.answer + `}`)
			if c.works {
				r.want(result("1", "ok"))
			} else {
				r.holds(`"id":1`, `"code":-32010`, "declined")
			}
			r.silent()
			for _, a := range f.seen {
				if a.m.kind == response && a.method == http.MethodPost && a.body != "" && a.m.method == "" {
					t.Errorf("the server got %s", a.body)
				}
			}
		})
	}
}

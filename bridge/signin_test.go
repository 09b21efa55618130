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

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/signin"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// guest is a signin.Interactive in the hands of a test.
type guest struct {
	mu        sync.Mutex
	visits    int
	unreached bool
	come      func(ctx context.Context, n token.Need, w signin.Way) error
}

func (g *guest) Reachable() bool { return !g.unreached }

func (g *guest) offered() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.visits
}

func (g *guest) SignIn(ctx context.Context, n token.Need, w signin.Way) error {
	g.mu.Lock()
	g.visits++
	g.mu.Unlock()
	return g.come(ctx, n, w)
}

// locked is a server with a token.Source that has a token once somebody has signed in.
func locked(t *testing.T) (*fake, *vault, *atomic.Bool) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool { return guarded(w, a, "t") })
	open := &atomic.Bool{}
	v := &vault{give: func(token.Need, int) (credential.Token, error) {
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
	g.come = func(_ context.Context, n token.Need, w signin.Way) error {
		if w.Show != nil || n.Challenge.Scheme == "" {
			t.Errorf("%v", n)
		}
		<-go1
		open.Store(true)
		return nil
	}
	r := run(t, Config{URL: f.url(), Tokens: v, Interactive: g, Hint: hint})
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
	g.come = func(ctx context.Context, _ token.Need, _ signin.Way) error {
		select {
		case <-late:
			open.Store(true)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r := run(t, Config{URL: f.url(), Tokens: v, Interactive: g, Hint: hint, SignInWait: 100 * time.Millisecond})
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

// Requests that are not to wait fail at once, with the sign-in open; it serves those that come after it.
func TestNobodyWaits(t *testing.T) {
	f, v, open := locked(t)
	late := make(chan struct{})
	g := &guest{come: func(context.Context, token.Need, signin.Way) error {
		<-late
		open.Store(true)
		return nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v, Interactive: g, Hint: hint, SignInWait: -1})
	r.send(call1("1", "x"))
	r.holds(`"id":1`, `"code":-32010`, `"kind":"prompting"`, "does not wait for it")
	close(late)
	eventually(t, "a call that works", func() bool {
		r.send(call1("2", "x"))
		return r.next() == result("2", "ok")
	})
	if g.visits != 1 {
		t.Errorf("%d sign-ins were offered", g.visits)
	}
}

// After a sign-in that came to nothing no other is offered, until there was a token.
func TestDeclined(t *testing.T) {
	f, v, open := locked(t)
	g := &guest{come: func(context.Context, token.Need, signin.Way) error { return errors.New("declined") }}
	r := run(t, Config{URL: f.url(), Tokens: v, Interactive: g, Hint: hint})
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
		return a.m.Method == "tools/call" && guarded(w, a, "t")
	}
	r := run(t, Config{URL: f.url(), Tokens: v, Interactive: &guest{unreached: true}, Hint: hint, Name: "test"})
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
	const near = "Sign in to test so that its tools can be used."
	for _, c := range []struct {
		name, answer  string
		works, remote bool
		message       string
	}{
		{name: "accepted", answer: `"result":{"action":"accept"}`, works: true, message: near},
		{name: "accepted from afar", answer: `"result":{"action":"accept"}`, works: true, remote: true,
			message: near + " If your browser runs on another machine, it cannot finish this sign-in; then sign in with: mcp-credential login URL"},
		{name: "declined", answer: `"result":{"action":"decline"}`, message: near},
		{name: "not shown", answer: `"error":{"code":-32601,"message":"no"}`, works: true, message: near},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, v, open := locked(t)
			f.on = func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
				return a.m.Method == "tools/call" && guarded(w, a, "t")
			}
			g := &guest{unreached: c.remote, come: func(ctx context.Context, _ token.Need, w signin.Way) error {
				if err := w.Show(ctx, "http://127.0.0.1:1/page?a=1&b"); err != nil && !errors.Is(err, signin.ErrNotShown) {
					return err
				}
				open.Store(true)
				return nil
			}}
			r := run(t, Config{URL: f.url(), Tokens: v, Interactive: g, Name: "test", Hint: hint})
			r.hello(`{"elicitation":{"url":{}}}`)
			eventually(t, "the handshake", func() bool { return len(f.arrivals("GET")) == 1 })
			r.send(call1("1", "x"))
			asked, err := jsonrpc.Parse([]byte(r.next()))
			if err != nil || asked.Method != "elicitation/create" || asked.Params.Text("url") != "http://127.0.0.1:1/page?a=1&b" || asked.Params.Text("mode") != "url" || asked.Params.Text("elicitationId") == "" {
				t.Fatalf("%s %v", asked.Raw, err)
			}
			if got := asked.Params.Text("message"); got != c.message {
				t.Errorf("the person reads %q", got)
			}
			r.send(`{"jsonrpc":"2.0","id":` + string(asked.ID) + `,` + c.answer + `}`)
			if c.works {
				r.want(`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":`+string(asked.ID)+`}}`, result("1", "ok"))
			} else {
				r.holds(`"id":1`, `"code":-32010`, "declined")
			}
			r.silent()
			for _, a := range f.seen {
				if a.m.Kind == jsonrpc.Response && a.method == http.MethodPost && a.body != "" && a.m.Method == "" {
					t.Errorf("the server got %s", a.body)
				}
			}
		})
	}
}

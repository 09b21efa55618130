package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// guest is a Person in the hands of a test.
type guest struct {
	mu        sync.Mutex
	visits    int
	unreached bool
	come      func(ctx context.Context, n Need, show Show) error
}

func (g *guest) Reachable() bool { return !g.unreached }

func (g *guest) offered() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.visits
}

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

// Requests that are not to wait fail at once, with the sign-in open; it serves those that come after it.
func TestNobodyWaits(t *testing.T) {
	f, v, open := locked(t)
	late := make(chan struct{})
	g := &guest{come: func(context.Context, Need, Show) error {
		<-late
		open.Store(true)
		return nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v, Person: g, Hint: hint, SignInWait: -1})
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
				return a.m.method == "tools/call" && guarded(w, a, "t")
			}
			g := &guest{unreached: c.remote, come: func(ctx context.Context, _ Need, show Show) error {
				if err := show(ctx, "http://127.0.0.1:1/page?a=1&b"); err != nil && !errors.Is(err, ErrNotShown) {
					return err
				}
				open.Store(true)
				return nil
			}}
			r := run(t, Config{URL: f.url(), Tokens: v, Person: g, Name: "test", Hint: hint})
			r.hello(`{"elicitation":{"url":{}}}`)
			eventually(t, "the handshake", func() bool { return len(f.arrivals("GET")) == 1 })
			r.send(call1("1", "x"))
			asked, err := peek([]byte(r.next()))
			if err != nil || asked.method != "elicitation/create" || digText(asked.params, "url") != "http://127.0.0.1:1/page?a=1&b" || digText(asked.params, "mode") != "url" || digText(asked.params, "elicitationId") == "" {
				t.Fatalf("%s %v", asked.raw, err)
			}
			if got := digText(asked.params, "message"); got != c.message {
				t.Errorf("the person reads %q", got)
			}
			r.send(`{"jsonrpc":"2.0","id":` + string(asked.id) + `,` + c.answer + `}`)
			if c.works {
				r.want(`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":`+string(asked.id)+`}}`, result("1", "ok"))
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

// The end of the bridge gives a sign-in up, which then has the time of Farewell to clear up, and no more.
func TestEndDuringSignIn(t *testing.T) {
	for _, c := range []struct {
		name     string
		farewell time.Duration
		takes    time.Duration
		clean    bool
	}{{"clears up", patience, 50 * time.Millisecond, true}, {"does not end", 50 * time.Millisecond, patience, false}} {
		t.Run(c.name, func(t *testing.T) {
			f, v, _ := locked(t)
			came, cleared := make(chan struct{}), make(chan struct{})
			var clean atomic.Bool
			g := &guest{come: func(ctx context.Context, _ Need, _ Show) error {
				close(came)
				<-ctx.Done()
				select {
				case <-cleared:
				case <-time.After(c.takes):
					clean.Store(true)
				}
				return ctx.Err()
			}}
			defer close(cleared)
			r := run(t, Config{URL: f.url(), Tokens: v, Person: g, Farewell: c.farewell})
			r.send(call1("1", "x"))
			if err := wait(t.Context(), came); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			r.finish()
			if clean.Load() != c.clean || time.Since(began) > patience/2 {
				t.Errorf("cleared up: %v, after %s", clean.Load(), time.Since(began))
			}
		})
	}
}

// A person may take their time: looking for another way does not end the sign-in.
func TestPersonTakesTime(t *testing.T) {
	f, v, open := locked(t)
	g := &guest{come: func(ctx context.Context, _ Need, _ Show) error {
		if err := rest(ctx, 2*lookElsewhere); err != nil {
			return err
		}
		open.Store(true)
		return nil
	}}
	began := time.Now()
	r := run(t, Config{URL: f.url(), Tokens: v, Person: g})
	r.send(call1("1", "x"))
	r.want(result("1", "ok"))
	if took := time.Since(began); took < 2*lookElsewhere || g.offered() != 1 {
		t.Errorf("%d offers in %v", g.offered(), took)
	}
}

// Requests that wait for a person go on when somebody has signed in by another way, and the host's question is over.
func TestSignedInElsewhere(t *testing.T) {
	f, v, open := locked(t)
	f.on = func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		return a.m.method == "tools/call" && guarded(w, a, "t")
	}
	g := &guest{come: func(ctx context.Context, _ Need, show Show) error { return show(ctx, "http://127.0.0.1:1/") }}
	r := run(t, Config{URL: f.url(), Tokens: v, Person: g, Name: "test"})
	r.hello(`{"elicitation":{"url":{}}}`)
	eventually(t, "the handshake", func() bool { return len(f.arrivals("GET")) == 1 })
	r.send(call1("1", "x"))
	r.holds("elicitation/create")
	open.Store(true)
	r.holds("notifications/elicitation/complete")
	r.want(result("1", "ok"))
	r.send(call1("2", "x"))
	r.want(result("2", "ok"))
	if g.visits != 1 {
		t.Errorf("%d sign-ins were offered", g.visits)
	}
}

// Ahead of need nobody is asked by a host that shows no addresses, nor where the next token comes by itself.
func TestNothingAhead(t *testing.T) {
	var ends error = credential.Fail(credential.NoSignIn, "there is no refresh token", nil)
	for _, c := range []struct {
		name, capabilities string
		err                error
	}{{"not shown", "{}", ends}, {"no need", `{"elicitation":{"url":{}}}`, nil}} {
		t.Run(c.name, func(t *testing.T) {
			v := &vault{give: func(Need, int) (credential.Token, error) {
				return due("t", time.Now()), c.err
			}}
			g := &guest{unreached: true}
			r := run(t, Config{URL: serve(t, nil).url(), Tokens: v, Person: g, Name: "test"})
			r.hello(c.capabilities)
			looks := v.asked()
			eventually(t, "two more looks", func() bool { return v.asked() > looks+1 })
			r.silent()
			if n := g.offered(); n != 0 {
				t.Errorf("offered %d times", n)
			}
		})
	}
}

// An offer ahead of need does not come on top of a sign-in that is under way.
func TestOneVisit(t *testing.T) {
	g := &guest{unreached: true, come: func(ctx context.Context, _ Need, _ Show) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	life, end := context.WithCancel(t.Context())
	p := newPump(life, Config{URL: "URL", Tokens: &vault{give: func(Need, int) (credential.Token, error) { return good("t"), nil }}, Person: g}.withDefaults())
	hello, err := peek([]byte(initialize(`{"elicitation":{"url":{}}}`)))
	if err != nil {
		t.Fatal(err)
	}
	p.session.hear(&hello)
	p.session.ready()
	ahead := func() *visit {
		p.door.early = time.Time{} // the pause between two offers is not what this is about
		p.door.ahead(good("t"))
		p.door.mu.Lock()
		defer p.door.mu.Unlock()
		return p.door.visit
	}
	if first := ahead(); first == nil || ahead() != first {
		t.Error("no sign-in, or two at once")
	}
	end()
	p.door.wait(patience)
}

// A request whose need came up before a sign-in was finished goes on after it, and offers no second one.
func TestNeedBeforeSignIn(t *testing.T) {
	g := &guest{come: func(context.Context, Need, Show) error { return nil }}
	p := newPump(t.Context(), Config{URL: "URL", Tokens: &vault{give: func(Need, int) (credential.Token, error) { return good("t"), nil }}, Person: g}.withDefaults())
	cause := errors.New("nobody has signed in")
	for range 2 {
		if err := p.door.open(t.Context(), Need{}, 0, cause); err != nil {
			t.Error(err)
		}
	}
	if n := g.offered(); n != 1 {
		t.Errorf("offered %d times", n)
	}
}

// Where only the host can reach a person it is asked to while the last token still serves: no request waits, a no is
// not repeated, and does not stand in the way of the offer that requests need later.
func TestSignInAhead(t *testing.T) {
	for _, agrees := range []bool{true, false} {
		f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
			return a.header.Get("Authorization") != "Bearer new" && guarded(w, a, "last")
		})
		var open, over atomic.Bool
		v := &vault{give: func(n Need, _ int) (credential.Token, error) {
			ends := credential.Fail(credential.NoSignIn, "there is no refresh token", nil)
			switch {
			case open.Load():
				return good("new"), nil
			case over.Load() || !n.Refused.IsZero():
				return credential.Token{}, ends
			}
			return due("last", time.Now()), ends
		}}
		g := &guest{unreached: true, come: func(ctx context.Context, n Need, show Show) error {
			err := show(ctx, "http://127.0.0.1:1/")
			if err == nil {
				open.Store(true)
			}
			return err
		}}
		r := run(t, Config{URL: f.url(), Tokens: v, Person: g, Name: "test"})
		r.hello(`{"elicitation":{"url":{}}}`)
		asked, err := peek([]byte(r.holds("elicitation/create")))
		if err != nil {
			t.Fatal(err)
		}
		r.send(call1("1", "x"))
		r.want(result("1", "ok"))
		answer := map[bool]string{true: "accept", false: "decline"}[agrees]
		r.send(`{"jsonrpc":"2.0","id":` + string(asked.id) + `,"result":{"action":"` + answer + `"}}`)
		if agrees {
			r.holds("notifications/elicitation/complete")
		} else {
			looks := v.asked()
			eventually(t, "two more looks", func() bool { return v.asked() > looks+1 })
			if n := g.offered(); n != 1 {
				t.Errorf("offered %d times", n)
			}
			over.Store(true)
			eventually(t, "the end of the token", func() bool {
				r.send(call1("2", "x"))
				return strings.Contains(r.next(), "elicitation/create")
			})
		}
	}
}

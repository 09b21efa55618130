package bridge

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

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

package bridge

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/signin"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// The end of the bridge gives a sign-in up, which then has the time of Shutdown to clear up, and no more.
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
			g := &guest{come: func(ctx context.Context, _ token.Need, _ signin.Way) error {
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
			r := run(t, Config{URL: f.url(), Tokens: v, Interactive: g, Shutdown: c.farewell})
			r.send(call1("1", "x"))
			<-came
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
	const takes = 2 * time.Second // twice the pause between two looks
	f, v, open := locked(t)
	g := &guest{come: func(ctx context.Context, _ token.Need, _ signin.Way) error {
		if err := wait.Sleep(ctx, takes); err != nil {
			return err
		}
		open.Store(true)
		return nil
	}}
	began := time.Now()
	r := run(t, Config{URL: f.url(), Tokens: v, Interactive: g})
	r.send(call1("1", "x"))
	r.want(result("1", "ok"))
	if took := time.Since(began); took < takes || g.offered() != 1 {
		t.Errorf("%d offers in %v", g.offered(), took)
	}
}

// Requests that wait for a person go on when somebody has signed in by another way, and the host's question is over.
func TestSignedInElsewhere(t *testing.T) {
	f, v, open := locked(t)
	f.on = func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		return a.m.Method == "tools/call" && guarded(w, a, "t")
	}
	g := &guest{come: func(ctx context.Context, _ token.Need, w signin.Way) error {
		return w.Show(ctx, "http://127.0.0.1:1/")
	}}
	r := run(t, Config{URL: f.url(), Tokens: v, Interactive: g, Name: "test"})
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
			v := &vault{give: func(token.Need, int) (credential.Token, error) {
				return due("t", time.Now()), c.err
			}}
			g := &guest{unreached: true}
			r := run(t, Config{URL: serve(t, nil).url(), Tokens: v, Interactive: g, Name: "test"})
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

// Where only the host can reach a person it is asked to while the last token still serves: no request waits, a no is
// not repeated, and does not stand in the way of the offer that requests need later.
func TestSignInAhead(t *testing.T) {
	for _, agrees := range []bool{true, false} {
		f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
			return a.header.Get("Authorization") != "Bearer new" && guarded(w, a, "last")
		})
		var open, over atomic.Bool
		v := &vault{give: func(n token.Need, _ int) (credential.Token, error) {
			ends := credential.Fail(credential.NoSignIn, "there is no refresh token", nil)
			switch {
			case open.Load():
				return good("new"), nil
			case over.Load() || !n.Refused.IsZero():
				return credential.Token{}, ends
			}
			return due("last", time.Now()), ends
		}}
		g := &guest{unreached: true, come: func(ctx context.Context, n token.Need, w signin.Way) error {
			err := w.Show(ctx, "http://127.0.0.1:1/")
			if err == nil {
				open.Store(true)
			}
			return err
		}}
		r := run(t, Config{URL: f.url(), Tokens: v, Interactive: g, Name: "test"})
		r.hello(`{"elicitation":{"url":{}}}`)
		asked, err := jsonrpc.Parse([]byte(r.holds("elicitation/create")))
		if err != nil {
			t.Fatal(err)
		}
		r.send(call1("1", "x"))
		r.want(result("1", "ok"))
		answer := map[bool]string{true: "accept", false: "decline"}[agrees]
		r.send(`{"jsonrpc":"2.0","id":` + string(asked.ID) + `,"result":{"action":"` + answer + `"}}`)
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

// due is a token inside its window.
func due(text string, now time.Time) credential.Token {
	return credential.Token{Access: credential.NewSecret(text), Obtained: now.Add(-time.Hour), Expiry: now.Add(time.Hour), RefreshAt: now.Add(-time.Minute)}
}

// After a logout elsewhere no request carries the token of the sign-in that is gone.
func TestSignedOutElsewhere(t *testing.T) {
	f := serve(t, nil)
	var out atomic.Bool
	v := &vault{give: func(token.Need, int) (credential.Token, error) {
		if out.Load() {
			return credential.Token{}, credential.Fail(credential.NotFound, "nobody has signed in", nil)
		}
		return due("t", time.Now()), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v, Name: "test"})
	r.send(call1("1", "x"))
	r.want(result("1", "ok"))
	out.Store(true)
	calls := 1
	eventually(t, "a call without the token", func() bool {
		calls++
		r.send(call1(fmt.Sprint(calls), "x"))
		r.want(result(fmt.Sprint(calls), "ok"))
		all := f.arrivals("POST tools/call")
		return all[len(all)-1].header.Get("Authorization") == ""
	})
	for i := range 20 {
		r.send(call1(fmt.Sprint(calls+i), "x"))
		r.want(result(fmt.Sprint(calls+i), "ok"))
	}
	for _, a := range f.arrivals("POST tools/call")[calls-1:] {
		if got := a.header.Get("Authorization"); got != "" {
			t.Fatalf("a call carries %s", got)
		}
	}
}

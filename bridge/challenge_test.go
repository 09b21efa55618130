package bridge

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/signin"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// Of several lines the one with the Bearer challenge is answered.
func TestSecondChallengeLine(t *testing.T) {
	const challenge = `Bearer error="insufficient_claims", claims="e30="`
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		w.Header().Add("WWW-Authenticate", "Negotiate")
		w.Header().Add("WWW-Authenticate", challenge)
		return refuse(w, a, "claims", "", http.StatusUnauthorized)
	})
	v := &vault{give: func(n token.Need, _ int) (credential.Token, error) {
		if n.Challenge.Claims == "{}" {
			return good("claims"), nil
		}
		return good("plain"), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v})
	r.send(call1("1", "x"))
	r.want(result("1", "ok"))
}

// refuse answers as told unless the request carries the token.
func refuse(w http.ResponseWriter, a arrival, token, challenge string, status int) bool {
	if a.header.Get("Authorization") == "Bearer "+token {
		return false
	}
	if challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	w.WriteHeader(status)
	return true
}

// counted is a token.Source whose every forced token is another one, and the number of the last.
func counted() (*vault, *atomic.Int32) {
	n := &atomic.Int32{}
	n.Store(1)
	return &vault{give: func(need token.Need, _ int) (credential.Token, error) {
		if !need.Refused.IsZero() {
			return good(fmt.Sprint("t", n.Add(1))), nil
		}
		return good(fmt.Sprint("t", n.Load())), nil
	}}, n
}

// A stream that is refused whatever the token costs one refresh, and is asked for again with another token only.
func TestStreamRefusedForGood(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		if a.m.Method == "tools/call" {
			return refuse(w, a, "t3", `Bearer error="insufficient_scope", scope="x"`, http.StatusForbidden)
		}
		return a.method == http.MethodGet && guarded(w, a, "never")
	})
	v, _ := counted()
	gone := make(chan struct{}, 100)
	r := run(t, Config{URL: f.url(), Tokens: v, Log: func(s string) {
		if strings.HasPrefix(s, "the server's stream: ") {
			gone <- struct{}{}
		}
	}})
	r.hello("{}")
	<-gone
	r.send(call1("1", "x"))
	for r.next() != result("1", "ok") {
	}
	<-gone
	var carried []string
	for _, a := range f.arrivals("GET") {
		carried = append(carried, a.header.Get("Authorization"))
	}
	if got := strings.Join(carried, ", "); got != "Bearer t1, Bearer t2, Bearer t3" {
		t.Errorf("the stream was asked for with %s", got)
	}
	if got := v.refusals(); len(got) != 2 {
		t.Errorf("%d tokens were replaced: %v", len(got), got)
	}
}

// A tool that is forbidden for good costs fewer and fewer refreshes.
func TestForbiddenForGood(t *testing.T) {
	var allowed atomic.Bool
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		return !allowed.Load() && refuse(w, a, "never", `Bearer error="insufficient_scope", scope="read"`, http.StatusForbidden)
	})
	v, _ := counted()
	at := testsupport.NewClock()
	r := run(t, Config{URL: f.url(), Tokens: v, Now: at.Now})
	const step = 5 * time.Second / 2
	for i := range 120 { // five minutes
		r.send(call1(fmt.Sprint(i), "x"))
		r.holds(`"kind":"refused"`)
		at.Advance(step)
	}
	if got := len(v.refusals()); got != 6 { // after 0, 5, 15, 35, 75 and 155 seconds
		t.Errorf("%d refreshes in five minutes", got)
	}
	allowed.Store(true)
	r.send(call1("200", "x"))
	r.want(result("200", "ok"))
}

// A challenge that was met with a new token is forgotten: the next token that is revoked is replaced at once.
func TestChallengeMet(t *testing.T) {
	var serves atomic.Int32
	serves.Store(2)
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		return guarded(w, a, fmt.Sprint("t", serves.Load()))
	})
	v, _ := counted()
	r := run(t, Config{URL: f.url(), Tokens: v})
	for i := range 5 {
		r.send(call1(fmt.Sprint(i), "x"))
		r.want(result(fmt.Sprint(i), "ok"))
		serves.Add(1)
	}
	if got := len(v.refusals()); got != 5 {
		t.Errorf("%d tokens were replaced", got)
	}
}

// A challenge of another kind right after a refresh, or in the same request, is no repetition: it gets its own answer.
func TestAnotherChallenge(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		switch {
		case a.header.Get("Authorization") == "Bearer revoked":
			return guarded(w, a, "fresh")
		case a.m.Params.Text("name") == "write":
			return refuse(w, a, "more", `Bearer error="insufficient_scope", scope="write"`, http.StatusForbidden)
		case a.m.Params.Text("name") == "pay":
			return refuse(w, a, "claims", `Bearer error="insufficient_claims", claims="e30="`, http.StatusUnauthorized)
		}
		return false
	})
	for _, tools := range [][]string{{"write"}, {"pay"}, {"read", "write", "pay"}} {
		var signedIn atomic.Bool
		v := &vault{give: func(n token.Need, _ int) (credential.Token, error) {
			switch {
			case signedIn.Load() && n.Challenge.Claims == "":
				return good("more"), nil
			case n.Challenge.Scope != "":
				return credential.Token{}, credential.Fail(credential.StepUp, "lacks scope write", nil)
			case n.Challenge.Claims != "":
				return good("claims"), nil
			case !n.Refused.IsZero():
				return good("fresh"), nil
			}
			return good("revoked"), nil
		}}
		g := &guest{come: func(context.Context, token.Need, signin.Way) error { signedIn.Store(true); return nil }}
		r := run(t, Config{URL: f.url(), Tokens: v, Interactive: g})
		for i, tool := range tools {
			r.send(call1(fmt.Sprint(i), tool))
			r.want(result(fmt.Sprint(i), "ok"))
		}
		r.finish()
	}
}

// Challenges that differ in a trace identifier only are one question for another token.
func TestTraceIDsShareOneRefresh(t *testing.T) {
	const n = 20
	var first sync.WaitGroup
	first.Add(n)
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		first.Done()
		first.Wait()
		return refuse(w, a, "never", `Bearer error="invalid_token", error_description="trace `+string(a.m.ID)+`"`, http.StatusUnauthorized)
	})
	v := &vault{give: func(n token.Need, _ int) (credential.Token, error) {
		if n.Refused.IsZero() {
			return good("old"), nil
		}
		<-time.After(50 * time.Millisecond) // an attempt that takes its time
		return credential.Token{}, &credential.Error{Kind: credential.Network, Text: "down", RetryAfter: time.Hour}
	}}
	r := run(t, Config{URL: f.url(), Tokens: v})
	for i := range n {
		r.send(call1(fmt.Sprint(i), "x"))
	}
	for range n {
		r.holds(`"kind":"network"`)
	}
	if got := len(v.refusals()); got != 1 {
		t.Errorf("%d questions for one refused token", got)
	}
}

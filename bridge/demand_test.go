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

	"github.com/mcp-credential/mcp-credential/credential"
)

// What counts of a challenge is read out of every way to write it.
func TestDemand(t *testing.T) {
	for _, c := range []struct {
		value  string
		bearer bool
		want   demand
	}{
		{``, false, demand{}},
		{`Negotiate`, false, demand{}},
		{`Negotiate YII=`, false, demand{}},
		{`Basic realm="Bearer error=x"`, false, demand{}},
		{`Bearer`, true, demand{}},
		{`Bearer error="invalid_token", error_description="trace 1, scope=\"no\""`, true, demand{code: "invalid_token"}},
		{`bearer realm="", ERROR = "insufficient_scope" , scope="a b"`, true, demand{code: "insufficient_scope", scope: "a b"}},
		{`Negotiate, Basic realm="x", Bearer claims="e30=", error=insufficient_claims`, true, demand{code: "insufficient_claims", claims: "e30="}},
		{`Bearer scope="a", Basic scope="b"`, true, demand{scope: "a"}},
		{`Bearer scope="a`, true, demand{scope: `"a`}},
	} {
		if _, ok := bearerParams(c.value); ok != c.bearer || demandOf(c.value) != c.want {
			t.Errorf("%s is %v %+v", c.value, ok, demandOf(c.value))
		}
	}
}

// Of several lines the one with the Bearer challenge is answered.
func TestSecondChallengeLine(t *testing.T) {
	const challenge = `Bearer error="insufficient_claims", claims="e30="`
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		w.Header().Add("WWW-Authenticate", "Negotiate")
		w.Header().Add("WWW-Authenticate", challenge)
		return refuse(w, a, "claims", "", http.StatusUnauthorized)
	})
	v := &vault{give: func(n Need, _ int) (credential.Token, error) {
		if n.Challenge == challenge {
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

// counted is a Tokens whose every forced token is another one, and the number of the last.
func counted() (*vault, *atomic.Int32) {
	n := &atomic.Int32{}
	n.Store(1)
	return &vault{give: func(need Need, _ int) (credential.Token, error) {
		if !need.Refused.IsZero() {
			return good(fmt.Sprint("t", n.Add(1))), nil
		}
		return good(fmt.Sprint("t", n.Load())), nil
	}}, n
}

// A stream that is refused whatever the token costs one refresh, and is asked for again with another token only.
func TestStreamRefusedForGood(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		if a.m.method == "tools/call" {
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

// clock is a Now that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// A tool that is forbidden for good costs fewer and fewer refreshes.
func TestForbiddenForGood(t *testing.T) {
	var relents atomic.Bool
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		return !relents.Load() && refuse(w, a, "never", `Bearer error="insufficient_scope", scope="read"`, http.StatusForbidden)
	})
	v, _ := counted()
	at := &clock{at: time.Now()}
	r := run(t, Config{URL: f.url(), Tokens: v, Now: at.now})
	const step = forceRest / 2
	for i := range 120 { // five minutes
		r.send(call1(fmt.Sprint(i), "x"))
		r.holds(`"kind":"refused"`)
		at.add(step)
	}
	if got := len(v.refusals()); got != 6 { // after 0, 5, 15, 35, 75 and 155 seconds
		t.Errorf("%d refreshes in five minutes", got)
	}
	relents.Store(true)
	r.send(call1("200", "x"))
	r.want(result("200", "ok"))
}

// A demand that was met with a new token is forgotten: the next token that is revoked is replaced at once.
func TestDemandMet(t *testing.T) {
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

// trials double their pauses up to a bound, forget what is long past, and are not got around by ever new demands.
func TestTrials(t *testing.T) {
	at, d, all := time.Now(), demand{code: "invalid_token"}, trials{}
	for _, pause := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
		pause *= time.Second
		if all.rests(d, at) {
			t.Fatal("it rests too long")
		}
		all.note(d, at)
		if !all.rests(d, at.Add(pause-1)) || all.rests(d, at.Add(-time.Second)) {
			t.Fatalf("it does not rest for %s", pause)
		}
		at = at.Add(pause)
	}
	at = at.Add(forceMost + 1)
	for i := range mostTrials {
		if d := (demand{scope: fmt.Sprint(i)}); all.rests(d, at) {
			t.Fatalf("demand %d rests", i)
		}
		all.note(demand{scope: fmt.Sprint(i)}, at)
	}
	if !all.rests(d, at) {
		t.Error("a new demand gets a token")
	}
}

// A demand of another kind right after a refresh, or in the same request, is no repetition: it gets its own answer.
func TestAnotherDemand(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		switch {
		case a.header.Get("Authorization") == "Bearer revoked":
			return guarded(w, a, "fresh")
		case digText(a.m.params, "name") == "write":
			return refuse(w, a, "more", `Bearer error="insufficient_scope", scope="write"`, http.StatusForbidden)
		case digText(a.m.params, "name") == "pay":
			return refuse(w, a, "claims", `Bearer error="insufficient_claims", claims="e30="`, http.StatusUnauthorized)
		}
		return false
	})
	for _, tools := range [][]string{{"write"}, {"pay"}, {"read", "write", "pay"}} {
		var signedIn atomic.Bool
		v := &vault{give: func(n Need, _ int) (credential.Token, error) {
			switch {
			case signedIn.Load() && !strings.Contains(n.Challenge, "claims"):
				return good("more"), nil
			case strings.Contains(n.Challenge, "scope"):
				return credential.Token{}, credential.Fail(credential.StepUp, "lacks scope write", nil)
			case strings.Contains(n.Challenge, "claims"):
				return good("claims"), nil
			case !n.Refused.IsZero():
				return good("fresh"), nil
			}
			return good("revoked"), nil
		}}
		g := &guest{come: func(context.Context, Need, Show) error { signedIn.Store(true); return nil }}
		r := run(t, Config{URL: f.url(), Tokens: v, Person: g})
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
		return refuse(w, a, "never", `Bearer error="invalid_token", error_description="trace `+string(a.m.id)+`"`, http.StatusUnauthorized)
	})
	v := &vault{give: func(n Need, _ int) (credential.Token, error) {
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

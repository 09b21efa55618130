package bridge

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
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
	v := &vault{give: func(n token.Need, _ int) (credential.Token, error) {
		if n.Refused.IsZero() {
			return good("old"), nil
		}
		<-time.After(20 * time.Millisecond) // a refresh that takes its time
		return good("new"), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v})
	for i := range n {
		r.send(call1(fmt.Sprint(i), "x"))
	}
	for range n {
		r.holds(`"text":"ok"`)
	}
	if refusals := v.refusals(); len(refusals) != 1 || refusals[0].Challenge.Error != "invalid_token" || !refusals[0].Refused.Equal(credential.NewSecret("old")) {
		t.Errorf("asked %d times for another token: %v", len(refusals), refusals)
	}
	if got := len(f.arrivals("POST tools/call")); got != 2*n {
		t.Errorf("%d requests for %d calls", got, n)
	}
}

// A refusal that arrives when another request has brought a new token already costs no further one.
func TestLateRefusal(t *testing.T) {
	late := make(chan struct{})
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		if a.header.Get("Authorization") == "Bearer old" && a.m.Params.Text("name") == "slow" {
			select {
			case <-late:
			case <-r.Context().Done():
			}
		}
		return guarded(w, a, "new")
	})
	v := &vault{give: func(n token.Need, _ int) (credential.Token, error) {
		if n.Refused.IsZero() {
			return good("old"), nil
		}
		return good("new"), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v})
	r.send(call1("1", "slow"))
	eventually(t, "the slow call", func() bool { return len(f.arrivals("POST tools/call")) == 1 })
	r.send(call1("2", "x"))
	r.want(result("2", "ok"))
	close(late)
	r.want(result("1", "ok"))
	if n := len(v.refusals()); n != 1 {
		t.Errorf("asked %d times for another token", n)
	}
}

// A token that the server refuses although it is new is an error for the call, and no storm of refreshes.
func TestRefusedForGood(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool { return guarded(w, a, "never") })
	var count atomic.Int32
	v := &vault{give: func(n token.Need, _ int) (credential.Token, error) { return good(fmt.Sprint("t", count.Add(1))), nil }}
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
		if a.m.Params.Text("name") == "scoped" {
			w.Header().Set("WWW-Authenticate", challenge)
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	v := &vault{give: func(n token.Need, _ int) (credential.Token, error) {
		if n.Challenge.Scope == "a b" {
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
func TestExpiryAndWindowCopilotSDK2492(t *testing.T) {
	var serial atomic.Int32
	const life = 200 * time.Second
	at := testsupport.NewClock() // it goes on between two calls only
	var mu sync.Mutex
	issued, refused, ahead := map[string]time.Time{}, 0, 0
	v := &vault{}
	v.give = func(token.Need, int) (credential.Token, error) {
		mu.Lock()
		defer mu.Unlock()
		if last, ok := issued[fmt.Sprint("t", serial.Load())]; ok && at.Now().Sub(last) < life*9/10 {
			ahead++
		}
		name := fmt.Sprint("t", serial.Add(1))
		issued[name] = at.Now()
		return since(at.Now(), name, life), nil
	}
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		mu.Lock()
		defer mu.Unlock()
		if first := issued[a.header.Get("Authorization")[len("Bearer "):]]; first.IsZero() || at.Now().Sub(first) > life {
			refused++
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	})
	r := run(t, Config{URL: f.url(), Tokens: v, Name: "test", Now: at.Now})
	r.hello("{}")
	end := at.Now().Add(10 * life)
	notices := 0
	for i := 0; at.Now().Before(end); i++ {
		at.Advance(5 * time.Second)
		if i%60 == 20 {
			at.Advance(life) // nobody has called for that long
		}
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
	mu.Lock()
	defer mu.Unlock()
	if refused > 0 || ahead < 3 || notices < 5 {
		t.Errorf("%d tokens, %d ahead of time, %d refused, %d notices", serial.Load(), ahead, refused, notices)
	}
}

// A host that wants warnings only is not told of refreshes.
func TestNoticeLevel(t *testing.T) {
	f := serve(t, nil)
	v := &vault{give: func(_ token.Need, ask int) (credential.Token, error) {
		return lasting(fmt.Sprint(ask), 50*time.Millisecond), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v})
	r.hello("{}")
	r.send(`{"jsonrpc":"2.0","id":"level","method":"logging/setLevel","params":{"level":"warning"}}`)
	for !contains(r.next(), `"id":"level"`) {
	}
	calls := 0
	eventually(t, "three tokens", func() bool {
		calls++
		r.send(call1(fmt.Sprint(calls), "x"))
		r.want(result(fmt.Sprint(calls), "ok"))
		return v.asked() >= 3
	})
}

// An unknown server is first tried without a token; where that works, nobody is asked for anything.
func TestNoTokenNeeded(t *testing.T) {
	f := serve(t, nil)
	v := &vault{give: func(token.Need, int) (credential.Token, error) {
		return credential.Token{}, credential.Fail(credential.NotFound, "unknown", nil)
	}}
	r := run(t, Config{URL: f.url(), Tokens: v, Interactive: &guest{}, Headers: http.Header{"X-Key": {"k"}}})
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
	v := &vault{give: func(_ token.Need, ask int) (credential.Token, error) {
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

	v = &vault{give: func(token.Need, int) (credential.Token, error) {
		return credential.Token{}, &credential.Error{Kind: credential.Throttled, Text: "slow down", RetryAfter: time.Hour}
	}}
	r = run(t, Config{URL: f.url(), Tokens: v})
	r.send(call1("1", "x"))
	r.holds(`"id":1`, `"kind":"throttled"`, `"retryAfterSeconds":3600`)
}

package bridge

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// An error says whether the request may have been carried out: then nobody is told to try again.
func TestMayHaveRun(t *testing.T) {
	status := func(code int) func(http.ResponseWriter) { return func(w http.ResponseWriter) { w.WriteHeader(code) } }
	for _, c := range []struct {
		name string
		on   func(w http.ResponseWriter)
		kind string
		ran  bool
	}{
		{"a cut without an answer", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "network", true},
		{"a cut stream", func(w http.ResponseWriter) {
			stream(w, "data: {}\n\n")
			panic(http.ErrAbortHandler)
		}, "network", true},
		{"a cut body", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			answer(w, `{"jsonrpc"`)
			panic(http.ErrAbortHandler)
		}, "network", true},
		{"a stream that ends", func(w http.ResponseWriter) { stream(w, ": hi\n\n") }, "network", true},
		{"a page", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>")
		}, "bad-answer", true},
		{"accepted", status(202), "bad-answer", true},
		{"500", status(500), "network", true},
		{"502", status(502), "network", true},
		{"504", status(504), "network", true},
		{"501", status(501), "bad-answer", false},
		{"404", status(404), "bad-answer", false},
		{"403", status(403), "bad-answer", false},
		{"429", status(429), "throttled", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t, func(w http.ResponseWriter, _ *http.Request, _ arrival) bool {
				c.on(w)
				return true
			})
			r := run(t, Config{URL: f.url(), Retry: time.Millisecond, Hint: func(error) string { return "try again" }})
			want := map[bool]string{true: `"hint":"` + findOut + `","mayHaveRun":true`, false: `"hint":"try again"}`}
			r.send(call1("1", "x"))
			r.holds(`"id":1`, `"kind":"`+c.kind+`"`, want[c.ran])
			r.send(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
			r.holds(`"id":2`, `"kind":"`+c.kind+`"`, want[false])
		})
	}
}

// Nor is one told so whose sign-in is needed only for the rest of the answer.
func TestMayHaveRunAndSignIn(t *testing.T) {
	var over atomic.Bool
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		switch {
		case a.m.Method == "tools/call":
			stream(w, "id: 1\nretry: 1\ndata:\n\n")
			over.Store(true)
		case over.Load():
			return guarded(w, a, "new")
		default:
			return false
		}
		return true
	})
	v := &vault{give: func(n token.Need, _ int) (credential.Token, error) {
		if n != (token.Need{}) {
			return credential.Token{}, credential.Fail(credential.SignInDead, "the sign-in has ended", nil)
		}
		return good("old"), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v, Hint: func(error) string { return "sign in again with: mcp-credential login URL" }})
	r.send(call1("1", "x"))
	r.holds(`"id":1`, `"code":-32010`, `"kind":"sign-in-dead"`, `"command":"mcp-credential login URL"`, `login URL; then `+findOut, `"mayHaveRun":true`)
}

// The log says what happened, not what Go calls it.
func TestLogSaysWhy(t *testing.T) {
	lines := make(chan string, 100)
	arrived := make(chan struct{}, 2)
	f := serve(t, func(_ http.ResponseWriter, r *http.Request, a arrival) bool {
		if a.m.Method != "tools/call" {
			return false
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		return true
	})
	r := run(t, Config{URL: f.url(), Log: func(s string) { lines <- s }})
	modernCall := func(id string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`
	}
	r.send(modernCall("1"))
	wait1(t, arrived)
	r.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	if got := <-lines; got != "tools/call: the host has cancelled it" {
		t.Errorf("got %q", got)
	}
	r.send(modernCall("2"))
	wait1(t, arrived)
	r.stop()
	r.holds(`"id":2`, ending, `"mayHaveRun":true`)
	if got := <-lines; got != "tools/call: "+ending {
		t.Errorf("got %q", got)
	}
}

// A server asks for a token before it can refuse one.
func TestLogTellsAskingFromRefusing(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool { return guarded(w, a, "good") })
	lines := make(chan string, 100)
	v := &vault{give: func(n token.Need, _ int) (credential.Token, error) {
		if n == (token.Need{}) {
			return credential.Token{}, credential.Fail(credential.NotFound, "unknown", nil)
		}
		return good(map[bool]string{true: "bad", false: "good"}[n.Refused.IsZero()]), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v, Log: func(s string) { lines <- s }})
	r.send(call1("1", "x"))
	r.holds(`"error"`)
	r.send(call1("2", "x"))
	r.want(result("2", "ok"))
	for _, want := range []string{"the server asks for a token", "tools/call: the server refuses the token, and a new one too", "the server refuses the token"} {
		if got := <-lines; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

package bridge

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// notMCP is an answer that is none, and what the error says of it.
type notMCP struct {
	name string
	on   func(w http.ResponseWriter, r *http.Request)
	want string
}

func answersThatAreNone(secret string) []notMCP {
	return []notMCP{
		{"a page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>"+secret)
		}, "answers with text/html, not with MCP"},
		{"an error page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(502)
			fmt.Fprint(w, "<html>"+secret)
		}, "502 Bad Gateway"},
		{"half of JSON", func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"id":1,"result":"`+secret) }, "not with MCP"},
		{"other JSON", func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"status":"`+secret+`"}`) }, "not with MCP"},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "application/json") }, "an empty body"},
		{"accepted", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, "sent no response"},
		{"not found", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "404 Not Found"},
		{"a redirect to nowhere", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) }, "redirects (302) to nowhere"},
		{"an endless body", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				fmt.Fprint(w, strings.Repeat(" ", 64<<10))
			}
		}, "larger than 1 MiB"},
		{"an endless event", func(w http.ResponseWriter, r *http.Request) {
			stream(w, "data: \"")
			for r.Context().Err() == nil {
				fmt.Fprint(w, strings.Repeat("a", 64<<10))
			}
		}, "larger than 1 MiB"},
		{"an endless error", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			for r.Context().Err() == nil {
				fmt.Fprint(w, strings.Repeat("a", 64<<10))
			}
		}, "500 Internal Server Error"},
		{"a stream that ends", func(w http.ResponseWriter, _ *http.Request) { stream(w, ": hi\n\n") }, "ended its answer without a response"},
		{"a stream of nonsense", func(w http.ResponseWriter, _ *http.Request) { stream(w, "data: "+secret+"\n\nevent: x\ndata: {}\n\n") }, "ended its answer without a response"},
		{"a cut", func(w http.ResponseWriter, _ *http.Request) {
			stream(w, "data: {}\n\n")
			panic(http.ErrAbortHandler)
		}, "may have been carried out"},
		{"a cut without an answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "may have been carried out"},
		{"another method", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, "redirects (302) in a way that drops the request body; if http://127.0.0.1:"},
		{"another method elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/"+secret, http.StatusFound)
		}, "redirects (302) to another origin"},
		{"another status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) }, "answers 418 I'm a teapot\","},
		{"no permission", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "does not allow this (403 Forbidden)\","},
		{"not made for it", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(501) }, "answers 501 Not Implemented\","},
		{"the old transport", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				stream(w, "event: endpoint\ndata: /messages?id=1\n\n")
				<-r.Context().Done()
				return
			}
			w.WriteHeader(405)
		}, "HTTP+SSE"},
	}
}

// What is no MCP answer becomes an error of the call that says what it was and repeats nothing of it.
func TestNotMCP(t *testing.T) {
	secret := "internal-detail"
	for _, c := range answersThatAreNone(secret) {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t, func(w http.ResponseWriter, r *http.Request, _ arrival) bool {
				c.on(w, r)
				return true
			})
			r := run(t, Config{URL: f.url(), MaxMessage: 1 << 20})
			r.send(call1("1", "x"))
			if line := r.holds(`"id":1,"error":`, c.want); strings.Contains(line, secret) {
				t.Errorf("the body is in the error: %s", line)
			}
			r.silent()
			if n := len(f.arrivals("POST tools/call")); n != 1 {
				t.Errorf("the call was sent %d times", n)
			}
		})
	}
}

// Nothing but harmless requests is sent again after a connection broke.
func TestBreaks(t *testing.T) {
	var breaks atomic.Int32
	f := serve(t, func(http.ResponseWriter, *http.Request, arrival) bool {
		if breaks.Add(-1) >= 0 {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	breaks.Store(1)
	r.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	r.want(result("1", "ok"))
	breaks.Store(1)
	r.send(call1("2", "x"))
	r.holds(`"id":2`, "may have been carried out")
	if n := len(f.arrivals("POST tools/call")); n != 1 {
		t.Errorf("the call was sent %d times", n)
	}
}

// A call whose connection has rested for too long was not sent, and says so where there is no other connection.
func TestRestedAndGone(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, _ arrival) bool {
		w.Header().Set("Keep-Alive", "timeout=1") // less a margin: no time at all
		return false
	})
	r := run(t, Config{URL: f.url(), Retry: time.Millisecond})
	r.send(call1("1", "x"))
	r.want(result("1", "ok"))
	f.Listener.Close()
	r.send(call1("2", "x"))
	r.holds(`"id":2,`, "cannot be reached")
}

// A server that is not there yet is waited for; one that never comes is an error in time.
func TestComesBack(t *testing.T) {
	f := serve(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	place := l.Addr().String()
	l.Close()
	tried := make(chan struct{}, 100)
	r := run(t, Config{URL: "http://" + place + "/mcp", Log: func(s string) {
		if strings.Contains(s, "trying again") {
			tried <- struct{}{}
		}
	}})
	r.send(call1("1", "x"))
	wait1(t, tried)
	if l, err = net.Listen("tcp", place); err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: f}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	r.want(result("1", "ok"))

	r = run(t, Config{URL: "http://127.0.0.1:1/mcp", Retry: 100 * time.Millisecond})
	r.send(call1("1", "x"))
	r.holds(`"id":1`, `"kind":"network"`, "cannot be reached")
}

// 429 and 503 are repeated where the server says when, and within bounds.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		status int
		after  string
		again  bool
		want   string
	}{
		{429, "0", true, ""}, {503, "0", true, ""}, {503, "", false, "503"}, {429, "3600", false, `"retryAfterSeconds":3600`},
		{503, "Wed, 21 Oct 2015 07:28:00 GMT", true, ""},
	} {
		var n atomic.Int32
		f := serve(t, func(w http.ResponseWriter, _ *http.Request, _ arrival) bool {
			if n.Add(1) > 1 {
				return false
			}
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			w.WriteHeader(c.status)
			return true
		})
		r := run(t, Config{URL: f.url()})
		r.send(call1("1", "x"))
		if c.again {
			r.want(result("1", "ok"))
		} else {
			r.holds(`"id":1,"error"`, c.want)
		}
		r.silent()
	}
}

// A redirect that keeps the method is followed on the same origin, and remembered; the token goes nowhere else.
func TestRedirects(t *testing.T) {
	other := serve(t, nil)
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		switch {
		case a.m.Params.Text("name") == "away":
			http.Redirect(w, r, other.url(), http.StatusTemporaryRedirect)
		case a.m.Params.Text("name") == "round":
			http.Redirect(w, r, r.URL.Path, http.StatusPermanentRedirect)
		case r.URL.Path == "/mcp":
			http.Redirect(w, r, "/mcp/", http.StatusTemporaryRedirect)
		default:
			return false
		}
		return true
	})
	r := run(t, Config{URL: f.url(), Tokens: &vault{give: func(token.Need, int) (credential.Token, error) { return good("t"), nil }}})
	for i := range 3 {
		r.send(call1(fmt.Sprint(i), "x"))
		r.want(result(fmt.Sprint(i), "ok"))
	}
	if n := len(f.arrivals("POST tools/call")); n != 4 {
		t.Errorf("%d requests for 3 calls", n)
	}
	r.send(call1("7", "away"))
	r.holds(`"id":7`, "another origin")
	r.send(call1("8", "round"))
	r.holds(`"id":8`, "more than 5 times")
	if len(other.seen) > 0 {
		t.Errorf("the other origin got %v", other.seen)
	}
}

// A host that does not read holds up nobody's end.
func TestHostDoesNotRead(t *testing.T) {
	f := serve(t, nil)
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	defer outR.Close()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(context.Background(), Config{URL: f.url(), Client: client(t), In: inR, Out: outW, Shutdown: 50 * time.Millisecond})
	}()
	fmt.Fprintln(inW, call1("1", "x"))
	eventually(t, "the call", func() bool { return len(f.arrivals("POST tools/call")) == 1 })
	inW.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the bridge does not end")
	}
}

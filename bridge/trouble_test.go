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

	"github.com/mcp-credential/mcp-credential/credential"
)

// What is no MCP answer becomes an error of the call that says what it was and repeats nothing of it.
func TestNotMCP(t *testing.T) {
	secret := "internal-detail"
	cases := []struct {
		name string
		on   func(w http.ResponseWriter, r *http.Request)
		want string
	}{
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
		{"accepted", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, "answers nothing"},
		{"not found", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "404 Not Found"},
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
		{"another method", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, "redirects (302)"},
		{"the old transport", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				stream(w, "event: endpoint\ndata: /messages?id=1\n\n")
				<-r.Context().Done()
				return
			}
			w.WriteHeader(405)
		}, "HTTP+SSE"},
	}
	for _, c := range cases {
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

	r = run(t, Config{URL: "http://127.0.0.1:1/mcp", Patience: 100 * time.Millisecond})
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
		case digText(a.m.params, "name") == "away":
			http.Redirect(w, r, other.url(), http.StatusTemporaryRedirect)
		case digText(a.m.params, "name") == "round":
			http.Redirect(w, r, r.URL.Path, http.StatusPermanentRedirect)
		case r.URL.Path == "/mcp":
			http.Redirect(w, r, "/mcp/", http.StatusTemporaryRedirect)
		default:
			return false
		}
		return true
	})
	r := run(t, Config{URL: f.url(), Tokens: &vault{give: func(Need, int) (credential.Token, error) { return good("t"), nil }}})
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
	r.holds(`"id":8`, "for ever")
	if len(other.seen) > 0 {
		t.Errorf("the other origin got %v", other.seen)
	}
}

// A server that has lost the session gets the handshake again, once, and the calls with it; the host sees nothing.
func TestSessionLost(t *testing.T) {
	for name, lost := range map[string]func(w http.ResponseWriter){
		"404": func(w http.ResponseWriter) { w.WriteHeader(404) },
		"400": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprint(w, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var generation atomic.Int32
			generation.Store(1)
			f := serve(t, nil)
			f.on = func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
				session := fmt.Sprint("s", generation.Load())
				switch {
				case a.m.method == "initialize":
					w.Header().Set("Mcp-Session-Id", session)
					answer(w, welcome)
				case a.header.Get("Mcp-Session-Id") != session:
					lost(w)
				default:
					return false
				}
				return true
			}
			r := run(t, Config{URL: f.url()})
			r.hello("{}")
			r.send(`{"jsonrpc":"2.0","id":"sub","method":"resources/subscribe","params":{"uri":"file:///a"}}`)
			r.want(result(`"sub"`, "ok"))
			eventually(t, "the stream is asked for", func() bool { return len(f.arrivals("GET")) == 1 })
			generation.Store(2)
			for i := range 10 {
				r.send(call1(fmt.Sprint(i), "x"))
			}
			for range 10 {
				r.holds(`"text":"ok"`)
			}
			eventually(t, "the stream is asked for again", func() bool { return len(f.arrivals("GET")) == 2 })
			r.silent()
			if a, b, c := len(f.arrivals("POST initialize")), len(f.arrivals("POST notifications/initialized")), len(f.arrivals("POST resources/subscribe")); a != 2 || b != 2 || c != 2 {
				t.Errorf("%d initialize, %d initialized, %d subscriptions", a, b, c)
			}
			for _, a := range f.arrivals("POST initialize") {
				if a.header.Get("Mcp-Session-Id") != "" || a.body != initialize("{}") {
					t.Errorf("%v %s", a.header, a.body)
				}
			}
		})
	}
}

// A server that loses every session is an error, not a loop.
func TestSessionNeverHolds(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		if a.m.method == "tools/call" {
			w.WriteHeader(404)
			return true
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.hello("{}")
	r.send(call1("1", "x"))
	r.holds(`"id":1,"error"`, "404")
	if n := len(f.arrivals("POST initialize")); n != 2 {
		t.Errorf("%d handshakes", n)
	}
}

// The answer that breaks off is resumed where the server can, with the server's pause; without an event id it is lost.
func TestResume(t *testing.T) {
	var gets atomic.Int32
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		switch {
		case a.m.method == "tools/call":
			stream(w, "id: e1\nretry: 30\ndata:\n\n", "id: e2\n"+event1(`{"jsonrpc":"2.0","method":"notifications/progress","params":{}}`), "id: e3\ndata: {\"unfinished")
			panic(http.ErrAbortHandler)
		case a.method == http.MethodGet && a.header.Get("Last-Event-Id") == "e2":
			if gets.Add(1) == 1 {
				stream(w, ": nothing yet\n\n")
				return true
			}
			stream(w, "id: e3\n"+event1(result("1", "resumed")))
			return true
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.hello("{}")
	began := time.Now()
	r.send(call1("1", "x"))
	r.want(`{"jsonrpc":"2.0","method":"notifications/progress","params":{}}`, result("1", "resumed"))
	if took := time.Since(began); took < 60*time.Millisecond {
		t.Errorf("two pauses of 30 ms took %s", took)
	}
	r.silent()
	if n := len(f.arrivals("POST tools/call")); n != 1 {
		t.Errorf("the call was sent %d times", n)
	}
}

// The server's own stream is kept open, and taken up again where it broke.
func TestListen(t *testing.T) {
	hold, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		if a.method != http.MethodGet {
			return false
		}
		switch a.header.Get("Last-Event-Id") {
		case "":
			stream(w, "retry: 1\nid: a1\n"+event1(`{"jsonrpc":"2.0","id":1,"method":"roots/list"}`))
		case "a1":
			stream(w, "id: a2\n"+event1(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`))
			select {
			case <-r.Context().Done():
			case <-hold.Done():
			}
		}
		return true
	})
	r := run(t, Config{URL: f.url()})
	r.hello(`{"roots":{}}`)
	r.want(`{"jsonrpc":"2.0","id":1,"method":"roots/list"}`, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	r.send(`{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}`)
	eventually(t, "the roots arrive", func() bool {
		for _, a := range f.arrivals("POST") {
			if a.body == `{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}` {
				return true
			}
		}
		return false
	})
	r.silent()
	for _, a := range f.arrivals("GET") {
		if a.header.Get("Mcp-Session-Id") != "session-1" || a.header.Get("Accept") != "text/event-stream" {
			t.Errorf("%v", a.header)
		}
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
		ended <- Run(context.Background(), Config{URL: f.url(), Client: client(t), In: inR, Out: outW, Farewell: 50 * time.Millisecond})
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

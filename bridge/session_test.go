package bridge

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

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
			const refusal = `{"jsonrpc":"2.0","id":"no","error":{"code":-32002,"message":"not here"}}`
			var generation atomic.Int32
			generation.Store(1)
			f := serve(t, nil)
			f.on = func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
				session := fmt.Sprint("s", generation.Load())
				switch {
				case a.m.Method == "initialize":
					w.Header().Set("Mcp-Session-Id", session)
					answer(w, welcome)
				case a.header.Get("Mcp-Session-Id") != session:
					lost(w)
				case string(a.m.ID) == `"no"`:
					answer(w, refusal)
				default:
					return false
				}
				return true
			}
			r := run(t, Config{URL: f.url()})
			r.hello("{}")
			r.send(`{"jsonrpc":"2.0","id":"no","method":"resources/subscribe","params":{"uri":"file:///b"}}`)
			r.want(refusal)
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
			if a, b, c := len(f.arrivals("POST initialize")), len(f.arrivals("POST notifications/initialized")), len(f.arrivals("POST resources/subscribe")); a != 2 || b != 2 || c != 3 {
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
		if a.m.Method == "tools/call" {
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
		case a.m.Method == "tools/call":
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

package bridge

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// What the host sends and what the server sends arrive as they were written, but for line breaks.
func TestBytesPass(t *testing.T) {
	cases := []struct{ name, line, arrives, answers, seen string }{
		{"a large id", `{"jsonrpc":"2.0","id":9007199254740993,"method":"x"}`, "", `{"id":9007199254740993,"result":1}`, ""},
		{"a fraction", `{"jsonrpc":"2.0","id":1.5,"method":"x"}`, "", `{"result":{},"id":1.5,"jsonrpc":"2.0"}`, ""},
		{"an exponent", `{"id":1e2,"method":"x"}`, "", `{"id":1e2,"error":{"code":-1,"message":"\u00e9 é \/"}}`, ""},
		{"unknown members", `{"x":[1.0,2.50,-0,1E+400],"id":"a","method":"vendor/own","y":null}`, "", `{"id":"a","result":{"n":123456789012345678901234567890},"z":{"a":1,"a":2}}`, ""},
		{"spaces stay", `{ "id" : 7 , "method" : "x" }`, "", `{ "id" : 7 ,	"result" : [ ] }`, ""},
		{"line breaks go", `{"id":8,"method":"x"}`, "", "{\n  \"id\": 8,\r\n  \"result\": \"a\\nb\"\n}\n", `{  "id": 8,  "result": "a\nb"}`},
		{"a byte order mark goes", `{"id":9,"method":"x"}`, "", "\ufeff" + `{"id":9,"result":1}`, `{"id":9,"result":1}`},
		{"carriage return from the host", "{\"id\":10,\"method\":\"x\"}\r", `{"id":10,"method":"x"}`, `{"id":10,"result":1}`, ""},
		{"an escaped id", `{"id":"\u0061","method":"x"}`, "", `{"id":"a","result":1}`, ""},
		{"escaped names", `{"i\u0064":11,"meth\u006fd":"x"}`, "", `{"i\u0064":11,"r\u0065sult":1}`, ""},
		{"a rounded id gets its text back", `{"id":9007199254740995,"method":"x"}`, "", `{"id": 9007199254740996 ,"result":{"id":1}}`, `{"id": 9007199254740995 ,"result":{"id":1}}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, how := range []string{"json", "events"} {
				f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
					if how == "events" {
						stream(w, ": hello\n\n", "data: "+strings.NewReplacer("\ufeff", "", "\n", "\ndata: ", "\r", "").Replace(c.answers)+"\n\n")
						return true
					}
					answer(w, c.answers)
					return true
				})
				r := run(t, Config{URL: f.url()})
				r.send(c.line)
				want := c.seen
				if want == "" {
					want = c.answers
				}
				if how == "events" {
					want = strings.ReplaceAll(want, "\r", "")
				}
				r.want(want)
				r.silent()
				if c.arrives == "" {
					c.arrives = c.line
				}
				if got := f.arrivals("POST " + f.seen[0].m.Method)[0].body; got != c.arrives {
					t.Errorf("%s: the server got %q", how, got)
				}
			}
		})
	}
}

// An error that names no request is the answer to the one that it came to: hosts pass over an error without one.
func TestErrorWithoutID(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}`)
		return true
	})
	r := run(t, Config{URL: f.url()})
	r.send(call1("3", "x"))
	r.want(`{"jsonrpc":"2.0","id":3,"error":{"code":-32600,"message":"no"}}`)
}

// On a stream, where the answer may still come, an error that names no request is none.
func TestErrorWithoutIDOnStream(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		stream(w, event1(`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}`), event1(result("3", "ok")))
		return true
	})
	r := run(t, Config{URL: f.url()})
	r.send(call1("3", "x"))
	r.want(result("3", "ok"))
	r.silent()
}

// What the host gets wrong is answered, and the bridge goes on.
func TestBadLines(t *testing.T) {
	f := serve(t, nil)
	r := run(t, Config{URL: f.url(), MaxMessage: 1000})
	for line, want := range map[string][]string{
		`{"id":1,`: {`"id":null`, "-32700"},
		`42`:       {`"id":null`, "-32600"},
		`[]`:       {`"id":null`, "-32600"},
		`{"id":5}`: {`"id":5`, "-32600"},
		`{"id":6,"method":"x","params":"` + strings.Repeat("a", 300<<10) + `"}`: {`"id":6,`, "larger"},
		`{"params":"` + strings.Repeat("a", 3000) + `"}`:                        {`"id":null`, "larger"},
	} {
		r.send(line)
		r.holds(want...)
	}
	r.send("", "  ", call1("9", "x"))
	r.want(result("9", "ok"))
	r.silent()
}

// A large message is reported from either side and by either way; a small one is not.
func TestLarge(t *testing.T) {
	large := strings.Repeat("a", 3<<20)
	for name, c := range map[string]struct {
		asked, answered string
		events, want    bool
	}{
		"small":           {asked: "a", answered: "a"},
		"from the host":   {asked: large, answered: "a", want: true},
		"from the server": {asked: "a", answered: large, want: true},
		"in an event":     {asked: "a", answered: large, events: true, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, func(w http.ResponseWriter, _ *http.Request, _ arrival) bool {
				if c.events {
					stream(w, event1(result("1", c.answered)))
				} else {
					answer(w, result("1", c.answered))
				}
				return true
			})
			var reported atomic.Int32
			r := run(t, Config{URL: f.url(), Large: func() { reported.Add(1) }})
			r.send(call1("1", c.asked))
			r.want(result("1", c.answered))
			if got := reported.Load(); got > 0 != c.want || got > 3 {
				t.Errorf("reported %d times", got)
			}
		})
	}
}

// Progress, requests of the server and their answers pass while a request is open; notifications get no answer.
func TestBothWays(t *testing.T) {
	answered := make(chan string, 1)
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		switch {
		case a.m.Method == "tools/call":
			stream(w, event1(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}`),
				event1(`{"jsonrpc":"2.0","id":"hello","method":"sampling/createMessage","params":{}}`))
			got := <-answered
			stream(w, event1(result("1", got)), event1(`{"jsonrpc":"2.0","method":"notifications/message","params":{}}`))
			return true
		case a.m.Kind == jsonrpc.Response && a.method == http.MethodPost:
			answered <- jsonrpc.Members(a.m.Result).Text("text")
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.hello(`{"sampling":{}}`)
	r.send(call1("1", "x"))
	r.want(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}`, `{"jsonrpc":"2.0","id":"hello","method":"sampling/createMessage","params":{}}`)
	r.send(`{"jsonrpc":"2.0","id":"hello","result":{"text":"sampled"}}`)
	r.want(result("1", "sampled"), `{"jsonrpc":"2.0","method":"notifications/message","params":{}}`)
	r.silent()
	for _, a := range f.arrivals("POST tools/call") {
		if a.header.Get("Mcp-Protocol-Version") != "2025-11-25" || a.header.Get("Mcp-Session-Id") != "session-1" || a.header.Get("Accept") != "application/json, text/event-stream" {
			t.Errorf("headers: %v", a.header)
		}
	}
	if n := len(f.arrivals("DELETE")); n != 1 {
		t.Errorf("the session was deleted %d times", n)
	}
}

func contains(s, part string) bool { return strings.Contains(s, part) }

func event1(data string) string { return "event: message\ndata: " + data + "\n\n" }

// What follows the handshake waits for it, notifications keep their order, and a slow request holds nobody up.
func TestOrder(t *testing.T) {
	hold := make(chan struct{})
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		switch {
		case a.m.Method == "notifications/initialized":
			<-time.After(50 * time.Millisecond) // a server that takes its time
		case a.m.Method == "notifications/n" && a.m.Params.Get("n") != nil && string(a.m.Params.Get("n")) == "0":
			<-time.After(20 * time.Millisecond)
		case a.m.Params.Text("name") == "slow":
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.hello("{}")
	r.send(call1("1", "slow"))
	for i := range 10 {
		r.send(fmt.Sprintf(`{"method":"notifications/n","params":{"n":%d}}`, i))
	}
	r.send(call1("2", "quick"))
	r.want(result("2", "ok"))
	close(hold)
	r.want(result("1", "ok"))
	eventually(t, "ten notifications", func() bool { return len(f.arrivals("POST notifications/n")) == 10 })
	for i, a := range f.arrivals("POST notifications/n") {
		if n := string(a.m.Params.Get("n")); n != fmt.Sprint(i) {
			t.Errorf("notification %s came as number %d", n, i)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[1].m.Method != "notifications/initialized" {
		t.Errorf("after initialize came %s", f.seen[1].m.Method)
	}
}

// Many calls at once all come back.
func TestManyAtOnce(t *testing.T) {
	const n = 1000
	var all sync.WaitGroup
	all.Add(n)
	f := serve(t, func(_ http.ResponseWriter, r *http.Request, _ arrival) bool {
		all.Done()
		all.Wait() // every call is open at the same time
		return false
	})
	r := run(t, Config{URL: f.url()})
	for i := range n {
		r.send(call1(fmt.Sprint(i), "x"))
	}
	seen := map[string]bool{}
	for range n {
		m, err := jsonrpc.Parse([]byte(r.next()))
		if err != nil || m.Result == nil {
			t.Fatalf("%s, %v", m.Raw, err)
		}
		seen[string(m.ID)] = true
	}
	if len(seen) != n {
		t.Errorf("%d answers", len(seen))
	}
}

// The host's cancellation reaches the server after the request and ends the wait; in a stateless revision closing the
// connection is the cancellation.
func TestCancel(t *testing.T) {
	for name, meta := range map[string]string{"sessions": "{}", "stateless": `{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan struct{})
			f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
				if a.m.Method != "tools/call" {
					return false
				}
				stream(w, ": open\n\n")
				<-r.Context().Done()
				close(gone)
				return true
			})
			r := run(t, Config{URL: f.url()})
			r.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":` + meta + `}}`)
			eventually(t, "the call", func() bool { return len(f.arrivals("POST tools/call")) == 1 })
			r.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
			if name == "stateless" {
				wait1(t, gone)
			} else {
				eventually(t, "the cancellation", func() bool { return len(f.arrivals("POST notifications/cancelled")) == 1 })
			}
			r.silent()
			wait1(t, gone)
			if n := len(f.arrivals("POST notifications/cancelled")); name == "stateless" && n > 0 {
				t.Error("a cancellation was posted")
			}
		})
	}
}

func wait1(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("never")
	}
}

// The end of stdin ends everything at once; the end of the context lets requests finish.
func TestEnds(t *testing.T) {
	release := make(chan struct{})
	f := serve(t, func(_ http.ResponseWriter, r *http.Request, a arrival) bool {
		if a.m.Method == "tools/call" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.hello("{}")
	r.send(call1("1", "x"))
	eventually(t, "the call", func() bool { return len(f.arrivals("POST tools/call")) == 1 })
	began := time.Now()
	r.silent()
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
	r = run(t, Config{URL: f.url(), Shutdown: patience})
	r.hello("{}")
	r.send(call1("1", "x"))
	eventually(t, "the call", func() bool { return len(f.arrivals("POST tools/call")) == 2 })
	r.stop()
	close(release)
	r.want(result("1", "ok"))
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	r.ended <- nil
	eventually(t, "both sessions deleted", func() bool { return len(f.arrivals("DELETE")) == 2 })
}

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

// restarting is a server that knows one session at a time; restart makes it forget that one.
type restarting struct {
	*fake
	count atomic.Int32
	early atomic.Int32 // calls in a session whose handshake was not over
	ready sync.Map     // sessions whose handshake is
}

func (s *restarting) restart() { s.count.Add(1) }

// serveRestarting starts one. What on does not answer gets the plain answer.
func serveRestarting(t *testing.T, on func(w http.ResponseWriter, r *http.Request, a arrival, id string) bool) *restarting {
	t.Helper()
	s := &restarting{}
	s.restart()
	s.fake = serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		present, id := fmt.Sprint("s", s.count.Load()), a.header.Get("Mcp-Session-Id")
		switch {
		case a.m.Method == "initialize":
			w.Header().Set("Mcp-Session-Id", present)
			answer(w, welcome)
		case id != present && a.method != http.MethodDelete:
			w.WriteHeader(http.StatusNotFound)
		case a.m.Method == "notifications/initialized":
			<-time.After(20 * time.Millisecond) // a way to go
			s.ready.Store(id, true)
			w.WriteHeader(http.StatusAccepted)
		default:
			if _, ok := s.ready.Load(id); !ok && a.method == http.MethodPost {
				s.early.Add(1)
			}
			return on != nil && on(w, r, a, id)
		}
		return true
	})
	return s
}

// No call is in the new session before its handshake is over, however many find the old one lost.
func TestHandshakeComesFirst(t *testing.T) {
	f := serveRestarting(t, nil)
	r := run(t, Config{URL: f.url()})
	r.hello("{}")
	for round := range 3 {
		f.restart()
		for i := range 30 {
			r.send(call1(fmt.Sprint(100*round+i), "x"))
		}
		for range 30 {
			r.holds(`"ok"`)
		}
	}
	if n := f.early.Load(); n > 0 {
		t.Errorf("%d requests came before the end of the handshake", n)
	}
	if n := len(f.arrivals("POST initialize")); n != 4 {
		t.Errorf("%d handshakes for 4 sessions", n)
	}
}

// A server that goes away while it opens the new session holds up a call for the time of one step, and the next call
// tries again.
func TestHandshakeHangs(t *testing.T) {
	var hellos atomic.Int32
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		switch {
		case a.m.Method == "initialize" && hellos.Add(1) == 2:
			<-r.Context().Done()
		case a.m.Method == "initialize":
			w.Header().Set("Mcp-Session-Id", fmt.Sprint("s", hellos.Load()))
			answer(w, welcome)
		case a.m.Method == "tools/call" && a.header.Get("Mcp-Session-Id") == "s1":
			w.WriteHeader(http.StatusNotFound)
		default:
			return false
		}
		return true
	})
	r := run(t, Config{URL: f.url(), Handshake: 50 * time.Millisecond})
	r.hello("{}")
	r.send(call1("1", "x"))
	r.holds(`"id":1`, "a new one could not be opened")
	r.send(call1("2", "x"))
	r.holds(`"id":2`, `"ok"`)
}

// What the host answers to a question of a lost session reaches no other one, which may have given the same number to
// a question of its own; and the host is told that nobody waits.
func TestLateAnswer(t *testing.T) {
	ask := make(chan string, 1)
	f := serveRestarting(t, func(w http.ResponseWriter, r *http.Request, a arrival, id string) bool {
		if a.method == http.MethodGet && id == "s1" {
			stream(w, event1(<-ask))
			<-r.Context().Done()
			return true
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.hello(`{"elicitation":{}}`)
	ask <- `{"jsonrpc":"2.0","id":0,"method":"elicitation/create","params":{"message":"delete?"}}`
	r.holds("delete?")
	f.restart()
	r.send(call1("9", "x"))
	r.holds("notifications/cancelled", `"requestId":0`)
	r.holds(`"id":9`, `"ok"`)
	r.send(`{"jsonrpc":"2.0","id":0,"result":{"action":"accept"}}`, call1("10", "x"))
	r.holds(`"id":10`)
	r.finish()
	for _, a := range f.arrivals("POST") {
		if a.m.Kind == jsonrpc.Response {
			t.Errorf("the new session was told %s", a.body)
		}
	}
}

// An answer is resumed in the session that it began in: event identifiers may be a count per session.
func TestResumeStaysInItsSession(t *testing.T) {
	lost := make(chan struct{})
	f := serveRestarting(t, func(w http.ResponseWriter, _ *http.Request, a arrival, _ string) bool {
		switch {
		case a.m.Params.Text("name") == "a":
			stream(w, "id: 1\nretry: 10\ndata:\n\n")
			<-lost
			panic(http.ErrAbortHandler)
		case a.method == http.MethodGet && a.header.Get("Last-Event-Id") != "":
			stream(w, "id: 2\n"+event1(result("2", "of another")))
			return true
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.hello("{}")
	r.send(call1("1", "a"))
	eventually(t, "the call", func() bool { return len(f.arrivals("POST tools/call")) == 1 })
	f.restart()
	r.send(call1("2", "b"))
	r.holds(`"id":2`, `"ok"`)
	close(lost)
	r.holds(`"id":1`, `"error"`, "does not continue")
}

// An error that bears the request's identifier is its answer, whatever status it comes with.
func TestErrorIsNoLoss(t *testing.T) {
	for status, text := range map[int]string{http.StatusBadRequest: "unknown browser session", http.StatusNotFound: "no such thing"} {
		f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
			if a.m.Method != "tools/call" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":%q}}`, a.m.ID, text)
			return true
		})
		r := run(t, Config{URL: f.url()})
		r.hello("{}")
		r.send(call1("1", "x"))
		r.holds(text)
		if calls, hellos := len(f.arrivals("POST tools/call")), len(f.arrivals("POST initialize")); calls != 1 || hellos != 1 {
			t.Errorf("%d: %d calls, %d handshakes", status, calls, hellos)
		}
	}
}

// A temporary redirect holds as long as its session.
func TestPlaceEndsWithSession(t *testing.T) {
	var gone atomic.Bool
	f := serve(t, func(w http.ResponseWriter, r *http.Request, _ arrival) bool {
		switch {
		case !gone.Load() && r.URL.Path == "/mcp":
			http.Redirect(w, r, "/node/mcp", http.StatusTemporaryRedirect)
		case gone.Load() && r.URL.Path == "/node/mcp":
			w.WriteHeader(http.StatusNotFound)
		default:
			return false
		}
		return true
	})
	r := run(t, Config{URL: f.url()})
	r.hello("{}")
	r.send(call1("1", "x"))
	r.holds("ok")
	gone.Store(true)
	r.send(call1("2", "x"))
	r.holds("ok")
}

// A proxy whose server is not up yet is asked again, where that has no effect but an answer.
func TestNotUpYet(t *testing.T) {
	for _, status := range []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		var hellos, calls atomic.Int32
		f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
			if a.m.Method == "initialize" && hellos.Add(1) == 1 || a.m.Method == "tools/call" && calls.Add(1) == 1 {
				w.WriteHeader(status)
				return true
			}
			return false
		})
		r := run(t, Config{URL: f.url()})
		r.hello("{}")
		r.send(call1("1", "x"))
		r.holds(`"id":1`, `"error"`)
		if n := calls.Load(); n != 1 {
			t.Errorf("%d: a call was sent %d times", status, n)
		}
	}
}

// Patience counts from the first failure, not from each.
func TestPatienceEnds(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, _ arrival) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	r := run(t, Config{URL: f.url(), Retry: 625 * time.Millisecond})
	r.send(initialize("{}"))
	r.holds(`"id":"hello"`, `"error"`, "502")
	if n := len(f.arrivals("POST initialize")); n != 2 { // at once and after 250 ms; the next pause is longer than what is left
		t.Errorf("sent %d times", n)
	}
}

// The host's answer and its cancellation are sent again over another connection: nobody could repeat them otherwise.
func TestAnswerOverLostConnection(t *testing.T) {
	var answers, cancels atomic.Int32
	arrived := make(chan string, 2)
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		switch {
		case a.m.Method == "tools/call":
			stream(w, event1(`{"jsonrpc":"2.0","id":0,"method":"elicitation/create","params":{}}`))
			<-r.Context().Done()
			return true
		case a.method == http.MethodPost && a.m.Kind == jsonrpc.Response:
			if answers.Add(1) == 1 {
				panic(http.ErrAbortHandler)
			}
			arrived <- "answer"
		case a.m.Method == "notifications/cancelled":
			if cancels.Add(1) == 1 {
				panic(http.ErrAbortHandler)
			}
			arrived <- "cancellation"
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.hello("{}")
	r.send(call1("1", "x"))
	r.holds("elicitation/create")
	for what, line := range map[string]string{
		"answer":       `{"jsonrpc":"2.0","id":0,"result":{"action":"accept"}}`,
		"cancellation": `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
	} {
		r.send(line)
		select {
		case got := <-arrived:
			if got != what {
				t.Errorf("the server got the %s, want the %s", got, what)
			}
		case <-time.After(patience):
			t.Fatalf("the %s never arrived", what)
		}
	}
}

// A call that was cancelled while it waited for another attempt never leaves again.
func TestCancelledIsNotRepeated(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusNotFound} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			again := make(chan struct{})
			var hellos atomic.Int32
			f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
				switch a.m.Method {
				case "initialize":
					if hellos.Add(1) > 1 {
						<-again
					}
					w.Header().Set("Mcp-Session-Id", fmt.Sprint(hellos.Load()))
					answer(w, welcome)
					return true
				case "tools/call":
					w.Header().Set("Retry-After", "30")
					w.WriteHeader(status)
					return true
				}
				return false
			})
			waits := make(chan struct{}, 1)
			r := run(t, Config{URL: f.url(), Log: func(text string) {
				if strings.Contains(text, "asks to wait") || strings.Contains(text, "opening a new one") {
					waits <- struct{}{}
				}
			}})
			r.hello("{}")
			r.send(call1("1", "delete everything"))
			<-waits
			r.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
			close(again)
			r.holds(`"id":2`)
			r.finish()
			if n := len(f.arrivals("POST tools/call")); n != 1 {
				t.Errorf("the call was sent %d times", n)
			}
		})
	}
}

// Of a batch one request is cancelled: the others are answered.
func TestCancelledInBatch(t *testing.T) {
	told := make(chan struct{})
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		switch {
		case a.m.Method == "notifications/cancelled":
			close(told)
		case a.m.Kind == jsonrpc.Batch:
			stream(w, ": open\n\n")
			<-told
			stream(w, event1(result("1", "first")), event1(result("2", "second")))
			return true
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.send("[" + call1("1", "x") + "," + call1("2", "x") + "]")
	eventually(t, "the batch", func() bool { return len(f.arrivals("POST")) == 1 })
	r.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	r.want(result("2", "second"))
	r.silent()
}

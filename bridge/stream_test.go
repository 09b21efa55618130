package bridge

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	first  = `{"jsonrpc":"2.0","method":"notifications/one"}`
	second = `{"jsonrpc":"2.0","method":"notifications/two"}`
)

// A server that has had its stream open may refuse it for a while; it is asked again.
func TestStreamIsNotGivenUp(t *testing.T) {
	for _, status := range []int{http.StatusConflict, http.StatusTooManyRequests, http.StatusBadRequest, http.StatusForbidden, http.StatusOK, http.StatusBadGateway} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			var gets atomic.Int32
			f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
				if a.method != http.MethodGet {
					return false
				}
				switch gets.Add(1) {
				case 1:
					stream(w, "retry: 10\nid: a\n"+event1(first))
				case 2:
					w.Header().Set("Content-Type", "text/html")
					w.WriteHeader(status)
				default:
					stream(w, event1(second))
					<-r.Context().Done()
				}
				return true
			})
			r := run(t, Config{URL: f.url()})
			r.hello("{}")
			r.want(first, second)
		})
	}
}

// An event of the stream that is too large is passed over, and what follows it arrives.
func TestLargeEventIsPassedOver(t *testing.T) {
	var gets atomic.Int32
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		if a.method != http.MethodGet {
			return false
		}
		gets.Add(1)
		stream(w, event1(first), "id: b\ndata: \""+strings.Repeat("a", 300<<10)+"\"\ndata: \"more\"\n\n", event1(second))
		<-r.Context().Done()
		return true
	})
	r := run(t, Config{URL: f.url(), MaxMessage: 64 << 10})
	r.hello("{}")
	r.want(first, second)
	if n := gets.Load(); n != 1 {
		t.Errorf("the stream was opened %d times", n)
	}
}

// A server may have the client come back for an answer as often as it likes (SEP-1699), and may be away in between.
func TestCalledBackOften(t *testing.T) {
	var gets atomic.Int32
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		switch {
		case a.m.Method == "tools/call":
			stream(w, "id: e1\nretry: 5\ndata:\n\n")
			return true
		case a.header.Get("Last-Event-Id") == "":
			return false
		}
		switch n := gets.Add(1); {
		case n == 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		case n < 15:
			stream(w, ": working\n\n")
		default:
			stream(w, "id: e2\n"+event1(result("1", "done")))
		}
		return true
	})
	r := run(t, Config{URL: f.url()})
	r.hello("{}")
	r.send(call1("1", "long"))
	r.want(result("1", "done"))
}

// A subscription outlives a proxy that answers for its server.
func TestSubscriptionComesBack(t *testing.T) {
	var posts atomic.Int32
	f := serve(t, func(w http.ResponseWriter, r *http.Request, _ arrival) bool {
		switch posts.Add(1) {
		case 1:
			stream(w, event1(first))
		case 2:
			w.WriteHeader(http.StatusInternalServerError)
		default:
			stream(w, event1(second))
			<-r.Context().Done()
		}
		return true
	})
	r := run(t, Config{URL: f.url()})
	r.send(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{` + meta26 + `}}`)
	r.want(first, second)
}

// A late response to another call is not the answer to the one on whose stream it comes.
func TestAnswerOfAnotherCall(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		if a.m.Method == "tools/call" && string(a.m.ID) == "2" {
			stream(w, event1(result("1", "late")), event1(result("2", "right")))
			return true
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.send(call1("1", "x"))
	r.want(result("1", "ok"))
	r.send(call1("2", "x"))
	r.want(result("2", "right"))
	r.silent()
}

// One call is answered once, also where the answer comes on two streams at the same time.
func TestAnsweredTwice(t *testing.T) {
	for range 20 {
		var both sync.WaitGroup
		both.Add(2)
		f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
			both.Done()
			both.Wait()
			events := []string{event1(result("1", "x"))}
			if string(a.m.ID) == "2" {
				events = append(events, event1(result("2", "x")))
			}
			stream(w, events...)
			return true
		})
		r := run(t, Config{URL: f.url()})
		r.send(call1("1", "x"), call1("2", "x"))
		if got := r.next() + r.next(); strings.Count(got, `"id":1`) != 1 || strings.Count(got, `"id":2`) != 1 {
			t.Fatalf("the host got %s", got)
		}
		r.silent()
	}
}

// What follows initialize does not wait for a stream that stays open behind the answer.
func TestHelloOnOpenStream(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		if a.m.Method != "initialize" {
			return false
		}
		stream(w, event1(welcome))
		<-r.Context().Done()
		return true
	})
	r := run(t, Config{URL: f.url()})
	began := time.Now()
	r.hello("{}")
	r.send(call1("1", "x"))
	r.holds(`"ok"`)
	if took := time.Since(began); took >= 2*time.Second {
		t.Errorf("the first call waited %s", took)
	}
}

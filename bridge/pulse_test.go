package bridge

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// A request does not use a connection that the server may be closing at this moment.
func TestOldConnectionIsNotUsed(t *testing.T) {
	connections := map[string]bool{}
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		connections[r.RemoteAddr] = true
		answer(w, result(string(a.m.id), "ok"))
		return true
	})
	p := newPump(t.Context(), Config{URL: f.url(), Client: client(t), Out: io.Discard}.withDefaults())
	get := func() {
		resp, _, err := p.try(t.Context(), errand{method: http.MethodPost, m: &message{raw: []byte(call1("1", "x")), id: []byte("1")}}, good("t"), view{})
		if err != nil {
			t.Fatal(err)
		}
		discard(resp)
	}
	for i, step := range []struct {
		rested time.Duration
		opened int
	}{{0, 1}, {idleMost / 2, 1}, {2 * idleMost, 2}, {0, 2}} {
		if step.rested > 0 {
			p.pulse.last.Add(-int64(step.rested))
		}
		get()
		if n := len(connections); n != step.opened {
			t.Errorf("%d connections after request %d", n, i)
		}
	}
}

// After a sleep of the machine everything begins with new connections, the server's stream among them.
func TestWake(t *testing.T) {
	var streams atomic.Int32
	opened := make(chan struct{}, 9)
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		if a.method != http.MethodGet {
			return false
		}
		stream(w, event1(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/%d"}`, streams.Add(1))))
		opened <- struct{}{}
		<-r.Context().Done()
		return true
	})
	p := newPump(t.Context(), Config{URL: f.url(), Client: client(t), Out: io.Discard}.withDefaults())
	p.wake(time.Minute)
	if n := streams.Load(); n != 0 {
		t.Fatalf("%d streams, and none was started", n)
	}
	p.listen.start(p)
	for range 2 {
		select {
		case <-opened:
		case <-time.After(patience):
			t.Fatal("the stream is not opened")
		}
		p.wake(time.Minute)
	}
}

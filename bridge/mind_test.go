package bridge

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

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

// A sleep is seen whether the monotonic clock has stood still in it, as on Linux, or gone on, as on Windows.
func TestOverslept(t *testing.T) {
	before := time.Now()
	for name, after := range map[string]time.Time{"goes on": before.Add(time.Hour), "stands still": before.Round(0).Add(time.Hour)} {
		if got := overslept(before, after, clockRest); got != time.Hour-clockRest {
			t.Errorf("%s: %s", name, got)
		}
	}
}

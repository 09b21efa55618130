package bridge

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestListenFirst has a server open its stream late: a call, which may make it ask the host something there, waits for
// that; a list does not.
func TestListenFirst(t *testing.T) {
	listed := make(chan struct{})
	var opened atomic.Bool
	began := time.Now()
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		switch {
		case a.method == http.MethodGet:
			select {
			case <-listed:
			case <-r.Context().Done():
			}
			opened.Store(true)
			stream(w, ": open\n\n")
			<-r.Context().Done()
			return true
		case a.m.Method == "tools/list":
			close(listed)
		case a.m.Method == "tools/call" && !opened.Load() && time.Since(began) < time.Second:
			t.Error("the call came before the stream")
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.hello(`{}`)
	r.send(call1("1", "echo"), `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	r.want(result("2", "ok"), result("1", "ok"))
}

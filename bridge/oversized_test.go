package bridge

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// longLines are requests with the identifier 7 in places where hosts put it, and other texts that look like one.
var longLines = map[string]string{
	"first":       `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"data":"PAD"}}`,
	"last":        `{"method":"tools/call","params":{"data":"PAD"},"jsonrpc":"2.0", "id" : 7 }`,
	"nested":      `{"method":"tools/call","params":{"id":"abc","list":[{"id":8}],"data":"PAD"},"id":7}`,
	"in a string": `{"method":"tools/call","params":{"q":"\"id\":3,","data":"PAD"},"note":"\"id\":9","id":7}`,
}

// A request that is too large is answered under its own identifier, wherever that stands.
func TestLongRequestIsAnswered(t *testing.T) {
	for name, line := range longLines {
		for _, size := range []int{2 << 10, 300 << 10} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				r := run(t, Config{URL: serve(t, nil).url(), MaxMessage: 1 << 10})
				r.send(strings.Replace(line, "PAD", strings.Repeat("a", size), 1))
				r.holds(`"id":7,`, "larger")
			})
		}
	}
}

// A notification that is too large is dropped: nothing answers one.
func TestLongNotification(t *testing.T) {
	r := run(t, Config{URL: serve(t, nil).url(), MaxMessage: 1 << 10})
	r.send(`{"method":"notifications/x","params":{"id":1,"data":"`+strings.Repeat("a", 4<<10)+`"}}`, call1("1", "x"))
	r.want(result("1", "ok"))
	r.silent()
}

// A response that is too large becomes an error at the server, which waits for it; the host's own request of the same
// identifier goes on.
func TestLongResponse(t *testing.T) {
	told := make(chan string, 1)
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		switch {
		case a.m.Method == "tools/call":
			stream(w, event1(`{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}`))
			told <- <-told
			stream(w, event1(result("1", "ok")))
			return true
		case a.m.Kind == jsonrpc.Response:
			told <- a.body
			w.WriteHeader(http.StatusAccepted)
			return true
		}
		return false
	})
	r := run(t, Config{URL: f.url(), MaxMessage: 1 << 10})
	r.send(call1("1", "x"))
	r.holds("sampling/createMessage")
	r.send(`{"jsonrpc":"2.0","id":1,"result":{"text":"` + strings.Repeat("a", 4<<10) + `"}}`)
	r.want(result("1", "ok"))
	if body := <-told; !strings.Contains(body, `"id":1,"error"`) {
		t.Errorf("the server was told %s", body)
	}
}

// The end of stdin is seen behind a line that cannot be answered, because the host does not read.
func TestEndBehindBadLine(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	defer outR.Close()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(context.Background(), Config{URL: serve(t, nil).url(), Client: client(t), In: inR, Out: outW, Shutdown: time.Millisecond})
	}()
	fmt.Fprintln(inW, "{bad")
	inW.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the bridge does not end")
	}
}

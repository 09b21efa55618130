package streamable

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// listener holds the stream on which a server of the revisions with sessions speaks unasked.
type listener struct {
	mu       sync.Mutex
	stop     context.CancelFunc
	answered <-chan struct{} // closed when the server has answered for the first time, or had its time to; nil: not asked
}

// openTime is what requests wait for the stream to open. openDelay lets what the host says right after the handshake have
// the connection that is open already: over HTTP/1.1 the stream needs one of its own, which TLS makes dear.
const (
	openTime  = time.Second
	openDelay = 10 * time.Millisecond
)

// start opens the stream, in place of the one before.
func (l *listener) start(c *Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop != nil {
		l.stop()
	}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(c.ctx)
	opened, answered := context.WithTimeout(c.ctx, openTime)
	l.answered = opened.Done()
	go c.listen(ctx, answered)
}

// restart is start where the stream was started before.
func (l *listener) restart(c *Client) {
	l.mu.Lock()
	started := l.stop != nil
	l.mu.Unlock()
	if started {
		l.start(c)
	}
}

// await holds up a request that may make the server ask the host something until the stream is open: what a server says
// on it before, the TypeScript SDK drops, and waits for an answer for ever.
func (l *listener) await(ctx context.Context, m *jsonrpc.Message) {
	l.mu.Lock()
	answered := l.answered
	l.mu.Unlock()
	if answered != nil && m.Method == "tools/call" {
		_ = wait.For(ctx, answered, openTime)
	}
}

// The pauses before the stream is opened again: after one that has brought something, unless the server names another,
// and the longest after many that have not.
const (
	listenPause     = time.Second
	listenPauseMost = 30 * time.Second
)

// listen keeps the stream open until ctx ends or the server says that it has none. answered is called once there is an
// answer of any kind. A server that has had the stream open may refuse it for a while, believing the broken one alive.
// Where it refuses the token for good, it is asked again with another one only.
func (c *Client) listen(ctx context.Context, answered func()) {
	defer answered()
	if wait.Sleep(ctx, openDelay) != nil {
		return
	}
	call := newCall(ctx, &jsonrpc.Message{Method: "the server's stream"})
	defer call.stop()
	e := newEventReader(nil, c.Limit)
	e.skip = true
	opened := false
	for pause := pauseLeast; ; pause = min(2*pause, listenPauseMost) {
		some := false
		r := c.request(call, http.MethodGet)
		r.last = e.lastID
		resp, err := r.do(ctx)
		answered()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.Log("the server's stream: " + err.Error())
			if permanent(err) {
				select {
				case <-ctx.Done():
				case <-c.Tokens.Changed():
				}
				pause = pauseLeast
			}
		case isStream(resp):
			opened = true
			e.continueWith(resp.Body)
			some, _ = delivery{c, call}.readStream(resp.Header, e, resp.Body)
			resp.Body.Close()
		default:
			discard(resp)
			if noStream(resp.StatusCode, opened) {
				return
			}
			e.lastID = "" // perhaps it is that which the server does not take
		}
		asked := min(e.retry, c.MaxRetryAfter)
		switch {
		case some && asked > 0:
			pause = asked
		case some:
			pause = listenPause
		}
		if wait.Sleep(ctx, max(pause, asked)) != nil {
			return
		}
	}
}

// noStream reports whether a status says that the server has no stream to speak on unasked: 405 (MCP 2025-11-25,
// "Listening for Messages from the Server"), 501, and from a server that has never opened one whatever does not pass.
func noStream(status int, opened bool) bool {
	return status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented || !opened && !transient(status)
}

// permanent reports whether what failed with err will fail again until a person or another token changes that.
func permanent(err error) bool {
	switch credential.KindOf(err) {
	case credential.BadInput, credential.Refused, credential.Misconfigured, credential.Untrusted, credential.Hostile:
		return true
	}
	return token.NeedsSignIn(err)
}

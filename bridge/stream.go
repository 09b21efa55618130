package bridge

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// follow delivers the stream that answers a call, and resumes it where it breaks off before the answer is complete. A
// server may close it as often as it likes and have the client come back (MCP 2025-11-25, SEP-1699).
func (p *pump) follow(c *call, resp *http.Response) error {
	e := newEvents(resp.Body, p.gather())
	body := resp.Body
	defer func() { body.Close() }()
	pause := retryFirst
	for {
		some, err := p.pour(c, resp.Header, e, body)
		if len(c.open()) == 0 {
			return nil
		}
		if some {
			pause = retryFirst
		}
		body.Close()
		listens := c.m.method == "subscriptions/listen"
		switch {
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		case errors.Is(err, errTooLong):
			return p.broken(c.ctx, err)
		case !listens && (e.last == "" || c.m.version >= modern):
			return p.cutOff(err)
		}
		if e.retry > 0 && !listens {
			pause = min(e.retry, p.Throttle)
		}
		next, err := p.again(c, e, listens, pause)
		if err != nil {
			return err
		}
		if !streams(next) {
			return p.deliver(c, next)
		}
		resp, body = next, next.Body
		if listens {
			e = newEvents(body, p.gather()) // a subscription of its own, which resumes nothing
		} else {
			e.again(body)
		}
		pause = min(2*pause, retryMost)
	}
}

// cutOff says that a stream ended without the answer.
func (p *pump) cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return p.fail(credential.Network, "the server has ended its answer without a response", nil)
	}
	return p.fail(credential.Network, "the connection broke before the response had arrived; it was not sent again, because it may have been carried out", nil)
}

// again asks for the rest of a stream (MCP 2025-11-25, "Resumability and Redelivery"), in the session that it began in,
// or for a subscription anew, which has no effect but itself. It goes on while the network or the server is away: an
// answer for credential.BridgeResume, a subscription without an end.
func (p *pump) again(c *call, e *events, listens bool, pause time.Duration) (*http.Response, error) {
	via := c.visited()
	ask := errand{method: http.MethodGet, m: &message{}, last: e.last, via: &via, final: true}
	ctx, cancel := c.ctx, context.CancelFunc(func() {})
	if listens {
		ask = errand{method: http.MethodPost, m: c.m, call: c}
	} else {
		ctx, cancel = context.WithTimeout(c.ctx, credential.BridgeResume)
	}
	defer cancel()
	for {
		if err := rest(ctx, pause); err != nil {
			return nil, cmp.Or(c.ctx.Err(), p.cutOff(err))
		}
		p.Log(c.m.describe() + ": asking for the stream again")
		resp, err := p.transmit(c.ctx, ask)
		switch {
		case err == nil && (streams(resp) || listens && resp.StatusCode/100 != 5):
			return resp, nil
		case err != nil && credential.KindOf(err) != credential.Network && credential.KindOf(err) != credential.Throttled:
			return nil, err
		case err == nil:
			discard(resp)
			if !passing(resp.StatusCode) {
				return nil, p.fail(credential.Network, "the server does not continue the answer that broke off; it was not asked again, because it may have carried out the request", nil)
			}
		}
		pause = min(2*pause, mostPause)
	}
}

// passing reports whether a status says that the same request may be answered otherwise later.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status/100 == 5 && status != http.StatusNotImplemented
}

func streams(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return resp.StatusCode == http.StatusOK && kind == "text/event-stream"
}

// pour delivers the events of a stream until it ends, and reports whether there was any. Once the call has its answer
// the rest may take linger.
func (p *pump) pour(c *call, h http.Header, e *events, body io.Closer) (some bool, err error) {
	owed := len(c.open()) > 0
	var timer *time.Timer
	for {
		ev, err := e.next()
		if errors.Is(err, errTooLong) && e.skips {
			p.Log(c.m.describe() + ": " + err.Error())
			continue
		}
		if err != nil {
			if timer != nil {
				timer.Stop()
			}
			return some, err
		}
		some = true
		if len(ev.data) == 0 || ev.name != "" && ev.name != "message" {
			continue
		}
		if err := p.fromServer(c, h, ev.data, false); err != nil {
			p.Log(c.m.describe() + ": the server sent an event that is no message: " + err.Error())
		}
		if owed && timer == nil && len(c.open()) == 0 {
			timer = time.AfterFunc(linger, func() { body.Close() })
		}
	}
}

// listener holds the stream on which a server of the revisions with sessions speaks unasked.
type listener struct {
	mu    sync.Mutex
	stop  context.CancelFunc
	heard <-chan struct{} // closed when the server has answered for the first time, or had its time to; nil: not asked
}

// hearTime is what requests wait for the stream to open. giveWay lets what the host says right after the handshake have
// the connection that is open already: over HTTP/1.1 the stream needs one of its own, which TLS makes dear.
const (
	hearTime = time.Second
	giveWay  = 10 * time.Millisecond
)

// start opens the stream, in place of the one before.
func (l *listener) start(p *pump) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop != nil {
		l.stop()
	}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(p.life)
	heard, answered := context.WithTimeout(p.life, hearTime)
	l.heard = heard.Done()
	go p.hearken(ctx, answered)
}

// restart is start where the stream was started before.
func (l *listener) restart(p *pump) {
	l.mu.Lock()
	started := l.stop != nil
	l.mu.Unlock()
	if started {
		l.start(p)
	}
}

// await holds up a request that may make the server ask the host something until the stream is open: what a server says
// on it before, the TypeScript SDK drops, and waits for an answer for ever.
func (l *listener) await(ctx context.Context, m *message) {
	l.mu.Lock()
	heard := l.heard
	l.mu.Unlock()
	if heard != nil && m.method == "tools/call" {
		_ = wait(ctx, heard)
	}
}

// The pauses before the stream of the listener is opened again: after one that has brought something, unless the server
// names another, and the longest after many that have not.
const (
	steadyPause = time.Second
	mostPause   = 30 * time.Second
)

// hearken keeps the stream open until ctx ends or the server says that it has none. answered is called once there is an
// answer of any kind. A server that has had the stream open may refuse it for a while, believing the broken one alive.
// Where it refuses the token for good, it is asked again with another one only.
func (p *pump) hearken(ctx context.Context, answered func()) {
	defer answered()
	if rest(ctx, giveWay) != nil {
		return
	}
	c := newCall(ctx, &message{method: "the server's stream"})
	defer c.stop()
	e := newEvents(nil, p.gather())
	e.skips = true
	opened := false
	for pause := retryFirst; ; pause = min(2*pause, mostPause) {
		some := false
		resp, err := p.transmit(ctx, errand{method: http.MethodGet, m: &message{}, last: e.last, call: c})
		answered()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.Log("the server's stream: " + err.Error())
			if forGood(err) {
				_ = wait(ctx, p.keeper.another())
				pause = retryFirst
			}
		case streams(resp):
			opened = true
			e.again(resp.Body)
			some, _ = p.pour(c, resp.Header, e, resp.Body)
			resp.Body.Close()
		default:
			discard(resp)
			if none(resp.StatusCode, opened) {
				return
			}
			e.last = "" // perhaps it is that which the server does not take
		}
		asked := min(e.retry, p.Throttle)
		switch {
		case some && asked > 0:
			pause = asked
		case some:
			pause = steadyPause
		}
		if rest(ctx, max(pause, asked)) != nil {
			return
		}
	}
}

// none reports whether a status says that the server has no stream to speak on unasked: 405 (MCP 2025-11-25, "Listening
// for Messages from the Server"), 501, and from a server that has never opened one whatever does not pass.
func none(status int, opened bool) bool {
	return status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented || !opened && !passing(status)
}

package bridge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxSilent bounds how often in a row a stream is resumed without bringing anything.
const maxSilent = 10

// follow delivers the stream that answers a call, and resumes it where it breaks off before the answer is complete.
func (p *pump) follow(c *call, resp *http.Response) error {
	e := newEvents(resp.Body, p.MaxMessage)
	body := resp.Body
	defer func() { body.Close() }()
	pause := retryFirst
	for silent := 0; ; silent++ {
		some, err := p.pour(c, resp.Header, e, body)
		if len(c.open()) == 0 {
			return nil
		}
		if some {
			silent, pause = 0, retryFirst
		}
		body.Close()
		switch {
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		case errors.Is(err, errTooLong):
			return p.broken(c.ctx, err)
		case c.m.method == "subscriptions/listen" && silent < maxSilent:
			err = p.relisten(c, &body, &e, pause)
		case e.last == "" || c.m.version >= modern || silent >= maxSilent:
			return p.cutOff(err)
		default:
			err = p.resume(c, &body, e, pause)
		}
		if err != nil {
			return err
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

// resume asks for the rest of a stream (MCP 2025-11-25, "Resumability and Redelivery").
func (p *pump) resume(c *call, body *io.ReadCloser, e *events, pause time.Duration) error {
	if e.retry > 0 {
		pause = min(e.retry, p.Throttle)
	}
	if err := rest(c.ctx, pause); err != nil {
		return err
	}
	p.Log(c.m.describe() + ": resuming the stream")
	resp, err := p.transmit(c.ctx, errand{method: http.MethodGet, m: &message{}, last: e.last, final: true})
	if err != nil {
		return err
	}
	if !streams(resp) {
		discard(resp)
		return p.fail(credential.Network, "the server does not continue the answer that broke off; it was not asked again, because it may have carried out the request", nil)
	}
	*body = resp.Body
	e.again(resp.Body)
	return nil
}

// relisten asks for a subscription anew that the server or the network has ended: it has no effect but itself.
func (p *pump) relisten(c *call, body *io.ReadCloser, e **events, pause time.Duration) error {
	if err := rest(c.ctx, pause); err != nil {
		return err
	}
	p.Log("subscribing again")
	resp, err := p.transmit(c.ctx, errand{method: http.MethodPost, m: c.m, call: c})
	if err != nil {
		return err
	}
	if !streams(resp) {
		return p.deliver(c, resp)
	}
	*body = resp.Body
	*e = newEvents(resp.Body, p.MaxMessage)
	return nil
}

func streams(resp *http.Response) bool {
	return resp.StatusCode == http.StatusOK && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream")
}

// pour delivers the events of a stream until it ends, and reports whether there was any. Once the call has its answer
// the rest may take linger.
func (p *pump) pour(c *call, h http.Header, e *events, body io.Closer) (some bool, err error) {
	owed := len(c.owed) > 0
	var timer *time.Timer
	for {
		ev, err := e.next()
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
		if err := p.fromServer(c, h, ev.data); err != nil {
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
// answer of any kind.
func (p *pump) hearken(ctx context.Context, answered func()) {
	defer answered()
	if rest(ctx, giveWay) != nil {
		return
	}
	c := newCall(ctx, &message{method: "the server's stream"})
	defer c.stop()
	e := newEvents(nil, p.MaxMessage)
	for pause := retryFirst; ; pause = min(2*pause, mostPause) {
		some := false
		resp, err := p.transmit(ctx, errand{method: http.MethodGet, m: &message{}, last: e.last})
		answered()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.Log("the server's stream: " + err.Error())
		case streams(resp):
			e.again(resp.Body)
			some, err = p.pour(c, resp.Header, e, resp.Body)
			resp.Body.Close()
			if errors.Is(err, errTooLong) {
				p.Log("the server's stream: " + err.Error())
			}
		default:
			discard(resp)
			if resp.StatusCode < 500 || resp.StatusCode == http.StatusNotImplemented {
				return // 405: it has none (MCP 2025-11-25, "Listening for Messages from the Server")
			}
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

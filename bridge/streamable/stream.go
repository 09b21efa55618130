package streamable

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

func isStream(resp *http.Response) bool {
	return resp.StatusCode == http.StatusOK && mediaType(resp) == "text/event-stream"
}

// followStream delivers the stream that answers a call, and resumes it where it breaks off before the answer is complete. A
// server may close it as often as it likes and have the client come back (MCP 2025-11-25, SEP-1699).
func (c *Client) followStream(call *Call, resp *http.Response) error {
	e := newEventReader(resp.Body, c.Limit)
	body := resp.Body
	defer func() { body.Close() }()
	subscription := call.m.Method == "subscriptions/listen"
	pause := pauseLeast
	for {
		some, err := c.readStream(call, resp.Header, e, body)
		if len(call.Pending()) == 0 {
			return nil
		}
		if some {
			pause = pauseLeast
		}
		body.Close()
		switch {
		case call.ctx.Err() != nil:
			return call.ctx.Err()
		case errors.Is(err, jsonrpc.ErrTooLong):
			return c.brokenOff(call.ctx, err)
		case !subscription && (e.lastID == "" || call.revision >= stateless):
			return c.cutOff(err)
		}
		if e.retry > 0 && !subscription {
			pause = min(e.retry, c.MaxRetryAfter)
		}
		next, err := c.resume(call, e, subscription, pause)
		if err != nil {
			return err
		}
		if !isStream(next) {
			return c.deliver(call, next)
		}
		resp, body = next, next.Body
		if subscription {
			e = newEventReader(body, c.Limit) // one of its own, which resumes nothing
		} else {
			e.continueWith(body)
		}
		pause = min(2*pause, pauseMost)
	}
}

// cutOff says that a stream ended without the answer.
func (c *Client) cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return c.fail(credential.Network, "the server has ended its answer without a response", nil)
	}
	return c.fail(credential.Network, "the connection broke before the response had arrived; it was not sent again, because it may have been carried out", nil)
}

// resume asks for the rest of a stream (MCP 2025-11-25, "Resumability and Redelivery"), in the session that it began in,
// or for a subscription anew, which has no effect but itself. It goes on while the network or the server is away: an
// answer for credential.BridgeResume, a subscription without an end.
func (c *Client) resume(call *Call, e *eventReader, subscription bool, pause time.Duration) (*http.Response, error) {
	r, ctx := c.request(call, http.MethodPost), call.ctx
	if !subscription {
		in, rest := call.lastSession(), newCall(ctx, &jsonrpc.Message{}) // of its own: the call itself has been sent
		defer rest.stop()
		r = c.request(rest, http.MethodGet)
		r.last, r.session, r.final = e.lastID, &in, true
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, credential.BridgeResume)
		defer cancel()
	}
	for {
		if err := wait.Sleep(ctx, pause); err != nil {
			return nil, cmp.Or(call.ctx.Err(), c.cutOff(err))
		}
		c.Log(call.String() + ": asking for the stream again")
		resp, err := r.do(call.ctx)
		switch {
		case err == nil && (isStream(resp) || subscription && resp.StatusCode/100 != 5):
			return resp, nil
		case err != nil && credential.KindOf(err) != credential.Network && credential.KindOf(err) != credential.Throttled:
			return nil, err
		case err == nil:
			discard(resp)
			if !transient(resp.StatusCode) {
				return nil, c.fail(credential.Network, "the server does not continue the answer that broke off; it was not asked again, because it may have carried out the request", nil)
			}
		}
		pause = min(2*pause, listenPauseMost)
	}
}

// readStream delivers the events of a stream until it ends, and reports whether there was any. Once the call has its
// answer the rest may take linger.
func (c *Client) readStream(call *Call, h http.Header, e *eventReader, body io.Closer) (some bool, err error) {
	pending := len(call.Pending()) > 0
	var timer *time.Timer
	for {
		ev, err := e.next()
		if errors.Is(err, jsonrpc.ErrTooLong) && e.skip {
			c.Log(call.String() + ": " + err.Error())
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
		if err := c.receive(call, h, ev.data, false); err != nil {
			c.Log(call.String() + ": the server sent an event that is no message: " + err.Error())
		}
		if pending && timer == nil && len(call.Pending()) == 0 {
			timer = time.AfterFunc(linger, func() { body.Close() })
		}
	}
}

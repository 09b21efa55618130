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
func (d delivery) followStream(resp *http.Response) error {
	e := newEventReader(resp.Body, d.Limit)
	body := resp.Body
	defer func() { body.Close() }()
	subscription := d.call.m.Method == "subscriptions/listen"
	pause := pauseLeast
	for {
		some, err := d.readStream(resp.Header, e, body)
		if len(d.call.Pending()) == 0 {
			return nil
		}
		if some {
			pause = pauseLeast
		}
		body.Close()
		switch {
		case d.call.ctx.Err() != nil:
			return d.call.ctx.Err()
		case errors.Is(err, jsonrpc.ErrTooLong):
			return d.brokenOff(err)
		case !subscription && (e.lastID == "" || d.call.revision >= stateless):
			return d.cutOff(err)
		}
		if e.retry > 0 && !subscription {
			pause = min(e.retry, d.MaxRetryAfter)
		}
		next, err := d.resume(e, subscription, pause)
		if err != nil {
			return err
		}
		if !isStream(next) {
			return d.deliver(next)
		}
		resp, body = next, next.Body
		if subscription {
			e = newEventReader(body, d.Limit) // one of its own, which resumes nothing
		} else {
			e.continueWith(body)
		}
		pause = min(2*pause, pauseMost)
	}
}

// cutOff says that a stream ended without the answer.
func (d delivery) cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return d.fail(credential.Network, "the server has ended its answer without a response", nil)
	}
	return d.fail(credential.Network, "the connection broke before the response had arrived; it was not sent again, because it may have been carried out", nil)
}

// resume asks for the rest of a stream (MCP 2025-11-25, "Resumability and Redelivery"), in the session that it began in,
// or for a subscription anew, which has no effect but itself. It goes on while the network or the server is away: an
// answer for credential.BridgeResume, a subscription without an end.
func (d delivery) resume(e *eventReader, subscription bool, pause time.Duration) (*http.Response, error) {
	r, ctx := d.request(d.call, http.MethodPost), d.call.ctx
	if !subscription {
		in, rest := d.call.lastSession(), newCall(ctx, &jsonrpc.Message{}) // of its own: the call itself has been sent
		defer rest.stop()
		r = d.request(rest, http.MethodGet)
		r.last, r.session, r.final = e.lastID, &in, true
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, credential.BridgeResume)
		defer cancel()
	}
	for {
		if err := wait.Sleep(ctx, pause); err != nil {
			return nil, cmp.Or(d.call.ctx.Err(), d.cutOff(err))
		}
		d.Log(d.call.String() + ": asking for the stream again")
		resp, err := r.do(d.call.ctx)
		switch {
		case err == nil && (isStream(resp) || subscription && resp.StatusCode/100 != 5):
			return resp, nil
		case err != nil && credential.KindOf(err) != credential.Network && credential.KindOf(err) != credential.Throttled:
			return nil, err
		case err == nil:
			discard(resp)
			if !transient(resp.StatusCode) {
				return nil, d.fail(credential.Network, "the server does not continue the answer that broke off; it was not asked again, because it may have carried out the request", nil)
			}
		}
		pause = min(2*pause, listenPauseMost)
	}
}

// readStream delivers the events of a stream until it ends, and reports whether there was any. Once the call has its
// answer the rest may take linger.
func (d delivery) readStream(h http.Header, e *eventReader, body io.Closer) (some bool, err error) {
	pending := len(d.call.Pending()) > 0
	var timer *time.Timer
	for {
		ev, err := e.next()
		if errors.Is(err, jsonrpc.ErrTooLong) && e.skip {
			d.Log(d.call.String() + ": " + err.Error())
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
		if err := d.receive(h, ev.data, false); err != nil {
			d.Log(d.call.String() + ": the server sent an event that is not a message: " + err.Error())
		}
		if pending && timer == nil && len(d.call.Pending()) == 0 {
			timer = time.AfterFunc(linger, func() { body.Close() })
		}
	}
}

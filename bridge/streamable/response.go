package streamable

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/credential"
)

// maxErrorBody bounds the body of an answer with an error status, in bytes.
const maxErrorBody = 1 << 20

// deliver brings an answer to the host: one message, or a stream of them.
func (c *Client) deliver(call *Call, resp *http.Response) error {
	defer resp.Body.Close()
	success := resp.StatusCode/100 == 2
	switch {
	case isStream(resp):
		return c.followStream(call, resp)
	case resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusNoContent:
		discard(resp)
		return c.unanswered(call, "the server has accepted the request and answers nothing")
	case len(call.Pending()) == 0 && success:
		discard(resp)
		return nil
	}
	body := jsonrpc.Buffer{Limit: c.Limit}
	if !success {
		body.Size = min(body.Size, maxErrorBody)
	}
	if kind := mediaType(resp); kind != "" && !strings.Contains(kind, "json") {
		return c.unexpected(call, resp, kind)
	}
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return c.brokenOff(call.ctx, err)
	}
	if body.Len() == 0 {
		return c.unexpected(call, resp, "an empty body")
	}
	if err := c.receive(call, resp.Header, body.Take(), true); err != nil {
		return c.unexpected(call, resp, "a body of another kind")
	}
	return c.unanswered(call, "the server answers another question ("+resp.Status+")")
}

func mediaType(resp *http.Response) string {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind
}

// unanswered is nil where the call waits for nothing more.
func (c *Client) unanswered(call *Call, text string) error {
	if len(call.Pending()) == 0 {
		return nil
	}
	return c.fail(credential.BadAnswer, text, nil)
}

// brokenOff says how a body ended that did not end well.
func (c *Client) brokenOff(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, jsonrpc.ErrTooLong):
		return c.fail(credential.BadAnswer, "the server's answer is larger than "+strconv.Itoa(c.Limit.Size>>20)+" MiB", nil)
	}
	return c.fail(credential.Network, "the connection broke in the middle of the answer", nil)
}

// receive takes one message of the server: what it means for the client first, then on to the host with it. h is the
// header it came with; whole says that it is all there is to the answer, not one event of a stream.
func (c *Client) receive(call *Call, h http.Header, raw []byte, whole bool) error {
	m, err := jsonrpc.Parse(raw)
	if err != nil {
		return err
	}
	responses := m.Responses()
	awaited := false
	for _, r := range responses {
		if to := c.callOf(call, &m, &r, whole); to != nil && to.answer(r.ID) {
			awaited = true
			c.learn(to, h, &m, r)
			if len(to.Pending()) == 0 {
				defer to.take()
			}
		}
	}
	c.serverRequests.note(m, call.lastSession())
	switch {
	case call.own && m.Kind != jsonrpc.Request && m.Kind != jsonrpc.Notification:
		return nil
	case !awaited && (m.Kind == jsonrpc.Response || len(responses) > 0 && len(responses) == len(m.Batch)):
		c.Log(call.String() + ": a response that nobody waits for is dropped")
		return nil
	}
	c.Out.Send(m.Raw)
	return nil
}

// callOf returns the call that the response r answers, nil where there is none. A body that is the whole answer to one
// request is its response (MCP 2025-11-25, "Sending Messages to the Server"), whatever identifier the server gives it:
// it gets its own back, or the host would wait for ever. On a stream that holds for an identifier that the server has
// read into a number of too few digits; responses to other calls may come there too.
func (c *Client) callOf(call *Call, m *jsonrpc.Message, r *jsonrpc.Message, whole bool) *Call {
	want := call.only()
	switch {
	case want != nil && want.Key() == r.ID.Key():
		return call
	case m.Kind != jsonrpc.Response:
		return call
	}
	if other := c.calls.find(r.ID); other != nil {
		return other
	}
	switch {
	case want == nil:
		return nil
	case r.ID == nil || string(r.ID) == "null":
		if !whole || r.Error == nil {
			return nil
		}
		m.Raw = slices.Concat([]byte(`{"jsonrpc":"2.0","id":`), want, []byte(`,"error":`), r.Error, []byte("}"))
	case !whole && !sameNumber(want, r.ID):
		return nil
	default:
		m.Raw = jsonrpc.Replace(m.Raw, r.ID, want)
	}
	r.ID = want
	return call
}

// sameNumber reports whether two identifiers are the same number to a reader that keeps 53 bits of it, or differ in
// quotes alone.
func sameNumber(want, got jsonrpc.ID) bool {
	a, b := strings.Trim(string(want), `"`), strings.Trim(string(got), `"`)
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return a == b || errX == nil && errY == nil && x == y
}

// learn takes from the answer r to a call what later requests depend on.
func (c *Client) learn(call *Call, h http.Header, m *jsonrpc.Message, r jsonrpc.Message) {
	if call.own {
		call.result = r.Result
	}
	switch call.m.Method {
	case "initialize":
		switch {
		case r.Result == nil:
		case call.own:
			call.opened = sessionOf(h, r)
		default:
			c.enter(sessionOf(h, r))
		}
	case "tools/list":
		if call.revision >= stateless && m.Kind == jsonrpc.Response {
			m.Raw = c.toolHeaders.learn(m.Raw, r.Result, func(tool string, why error) {
				c.Log("the tool " + credential.Printable(tool, 80) + " is left out: " + why.Error())
			})
		}
	case "logging/setLevel", "resources/subscribe", "resources/unsubscribe":
		if !call.own && r.Result != nil {
			c.sessions.set(call.m)
		}
	}
}

// peekError reads the body of an answer with an error status, which stays readable.
func peekError(resp *http.Response) (jsonrpc.Message, bool) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return jsonrpc.Message{}, false
	}
	m, err := jsonrpc.Parse(bytes.Clone(body))
	return m, err == nil
}

// discard ends an answer whose body does not matter. A short one is read, so that its connection serves again.
func discard(resp *http.Response) {
	t := time.AfterFunc(linger, func() { resp.Body.Close() })
	_, _ = io.CopyN(io.Discard, resp.Body, maxDiscard)
	t.Stop()
	resp.Body.Close()
}

// maxDiscard is how much of a body is read only to keep its connection, in bytes.
const maxDiscard = 64 << 10

// linger is how long the rest of an answer may take that nobody waits for.
const linger = 2 * time.Second

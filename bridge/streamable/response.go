package streamable

import (
	"bytes"
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

// delivery brings what the server answers to a call to the host.
type delivery struct {
	*Client
	call *Call
}

// deliver brings an answer to the host: one message, or a stream of them.
func (d delivery) deliver(resp *http.Response) error {
	defer resp.Body.Close()
	success := resp.StatusCode/100 == 2
	switch {
	case isStream(resp):
		return d.followStream(resp)
	case resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusNoContent:
		discard(resp)
		return d.unanswered("the server accepted the request and sent no response")
	case len(d.call.Pending()) == 0 && success:
		discard(resp)
		return nil
	}
	body := jsonrpc.Buffer{Limit: d.Limit}
	if !success {
		body.Size = min(body.Size, maxErrorBody)
	}
	if kind := mediaType(resp); kind != "" && !strings.Contains(kind, "json") {
		return d.unexpected(resp, kind)
	}
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return d.brokenOff(err)
	}
	if body.Len() == 0 {
		return d.unexpected(resp, "an empty body")
	}
	if err := d.receive(resp.Header, body.Take(), true); err != nil {
		return d.unexpected(resp, "a body of another kind")
	}
	return d.unanswered("the server sent a response to another request (" + resp.Status + ")")
}

func mediaType(resp *http.Response) string {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind
}

// unanswered is nil where the call waits for nothing more.
func (d delivery) unanswered(text string) error {
	if len(d.call.Pending()) == 0 {
		return nil
	}
	return d.fail(credential.BadAnswer, text, nil)
}

// brokenOff says how a body ended that did not end well.
func (d delivery) brokenOff(err error) error {
	switch {
	case d.call.ctx.Err() != nil:
		return d.call.ctx.Err()
	case errors.Is(err, jsonrpc.ErrTooLong):
		return d.fail(credential.BadAnswer, "the server's answer is larger than "+strconv.Itoa(d.Limit.Size>>20)+" MiB", nil)
	}
	return d.fail(credential.Network, "the connection broke in the middle of the answer", nil)
}

// receive takes one message of the server: what it means for the client first, then on to the host with it. h is the
// header it came with; whole says that it is all there is to the answer, not one event of a stream.
func (d delivery) receive(h http.Header, raw []byte, whole bool) error {
	m, err := jsonrpc.Parse(raw)
	if err != nil {
		return err
	}
	responses := m.Responses()
	awaited := false
	for _, r := range responses {
		if to := d.callOf(&m, &r, whole); to != nil && to.answer(r.ID) {
			awaited = true
			d.learn(to, h, &m, r)
			if len(to.Pending()) == 0 {
				defer to.take()
			}
		}
	}
	d.serverRequests.note(m, d.call.lastSession())
	switch {
	case d.call.own && m.Kind != jsonrpc.Request && m.Kind != jsonrpc.Notification:
		return nil
	case !awaited && (m.Kind == jsonrpc.Response || len(responses) > 0 && len(responses) == len(m.Batch)):
		d.Log(d.call.String() + ": a response to no request is dropped")
		return nil
	}
	d.Out.Send(m.Raw)
	return nil
}

// callOf returns the call that the response r answers, nil where there is none. A body that is the whole answer to one
// request is its response (MCP 2025-11-25, "Sending Messages to the Server"), whatever identifier the server gives it:
// it gets its own back, or the host would wait for ever. On a stream that holds for an identifier that the server has
// read into a number of too few digits; responses to other calls may come there too.
func (d delivery) callOf(m *jsonrpc.Message, r *jsonrpc.Message, whole bool) *Call {
	want := d.call.only()
	switch {
	case want != nil && want.Key() == r.ID.Key():
		return d.call
	case m.Kind != jsonrpc.Response:
		return d.call
	}
	if other := d.calls.find(r.ID); other != nil {
		return other
	}
	switch {
	case want == nil:
		return nil
	case r.ID == nil || string(r.ID) == "null":
		if !whole || len(r.Error) == 0 || r.Error[0] != '{' { // OAuth errors and those of gateways are texts
			return nil
		}
		m.Raw = slices.Concat([]byte(`{"jsonrpc":"2.0","id":`), want, []byte(`,"error":`), r.Error, []byte("}"))
	case !whole && !sameNumber(want, r.ID):
		return nil
	default:
		m.Raw = jsonrpc.Replace(m.Raw, r.ID, want)
	}
	r.ID = want
	return d.call
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
func (d delivery) learn(to *Call, h http.Header, m *jsonrpc.Message, r jsonrpc.Message) {
	if to.own {
		to.result = r.Result
	}
	switch to.m.Method {
	case "initialize":
		switch {
		case r.Result == nil:
		case to.own:
			to.opened = sessionOf(h, r)
		default:
			d.enter(sessionOf(h, r))
		}
	case "tools/list":
		if to.revision >= stateless && m.Kind == jsonrpc.Response {
			m.Raw = d.toolHeaders.learn(m.Raw, func(tool string, why error) {
				d.Log("the tool " + credential.Printable(tool, 80) + " is left out: " + why.Error())
			})
		}
	case "logging/setLevel", "resources/subscribe", "resources/unsubscribe":
		if !to.own && r.Result != nil {
			d.sessions.set(to.m)
		}
	}
	if d.Learn == nil {
		return
	}
	if raw := d.Learn(to.m, m.Raw, r.Result, to.own); m.Kind == jsonrpc.Response {
		m.Raw = raw
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

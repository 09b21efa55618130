package bridge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxRefusal bounds the body of an answer with an error status, in bytes.
const maxRefusal = 1 << 20

// codeMismatch is the server's word for headers that do not say what the body says (MCP 2026-07-28).
const codeMismatch = "-32020"

// exchange sends a call's message and delivers what comes back. Its error is what the call's requests fail with.
func (p *pump) exchange(c *call) error {
	e := errand{method: http.MethodPost, m: c.m, call: c, via: c.via, final: c.own || c.via != nil}
	resp, err := p.transmit(c.ctx, e)
	if err != nil {
		return err
	}
	if c.m.method == "tools/call" && resp.StatusCode == http.StatusBadRequest && p.relearn(c, resp) {
		if resp, err = p.transmit(c.ctx, e); err != nil {
			return err
		}
	}
	if c.m.kind != notification || resp.StatusCode/100 != 2 {
		return p.deliver(c, resp)
	}
	if streams(resp) {
		p.accepted(c)
		return p.deliver(c, resp)
	}
	discard(resp) // first, so that its connection serves what waits for this
	p.accepted(c)
	return nil
}

// accepted lets go on what waits for a notification of the host.
func (p *pump) accepted(c *call) {
	if c.m.method == "notifications/initialized" && !c.own {
		p.session.ready()
		p.listen.start(p)
	}
	c.release()
}

// deliver brings an answer to the host. Where that fails after the server has taken the request, or has failed itself, the
// request may have been carried out.
func (p *pump) deliver(c *call, resp *http.Response) error {
	status := resp.StatusCode
	taken := status/100 == 2 || status/100 == 5 && status != http.StatusNotImplemented
	err := p.bring(c, resp)
	if err == nil || !taken || harmless(errand{method: http.MethodPost, m: c.m}) {
		return err
	}
	return unsure(err)
}

// bring brings one message to the host, or a stream of them.
func (p *pump) bring(c *call, resp *http.Response) error {
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case kind == "text/event-stream" && resp.StatusCode == http.StatusOK:
		return p.follow(c, resp)
	case resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusNoContent:
		discard(resp)
		return p.unanswered(c, "the server has accepted the request and answers nothing")
	case len(c.owed) == 0 && resp.StatusCode/100 == 2:
		discard(resp)
		return nil
	}
	body := p.gather()
	if resp.StatusCode/100 != 2 {
		body.max = min(body.max, maxRefusal)
	}
	if kind != "" && !strings.Contains(kind, "json") {
		return p.notMCP(c, resp, kind)
	}
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return p.broken(c.ctx, err)
	}
	if body.size == 0 {
		return p.notMCP(c, resp, "an empty body")
	}
	if err := p.fromServer(c, resp.Header, body.join(), true); err != nil {
		return p.notMCP(c, resp, "a body of another kind")
	}
	return p.unanswered(c, "the server answers another question ("+resp.Status+")")
}

// unanswered is nil where the call is owed nothing more.
func (p *pump) unanswered(c *call, text string) error {
	if len(c.open()) == 0 {
		return nil
	}
	return p.fail(credential.BadAnswer, text, nil)
}

// broken says how a body ended that did not end well.
func (p *pump) broken(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errTooLong):
		return p.fail(credential.BadAnswer, "the server's answer is larger than "+strconv.Itoa(p.MaxMessage>>20)+" MiB", nil)
	}
	return p.fail(credential.Network, "the connection broke in the middle of the answer", nil)
}

// fromServer takes one message of the server: what it means for the bridge first, then on to the host with it. h is the
// header it came with; sole says that it is the whole answer to c, not one event of a stream.
func (p *pump) fromServer(c *call, h http.Header, raw []byte, sole bool) error {
	m, err := peek(raw)
	if err != nil {
		return err
	}
	responses := m.responses()
	awaited := false
	for _, r := range responses {
		if owner := p.owner(c, &m, &r, sole); owner != nil && owner.answer(r) {
			awaited = true
			owner.got = r
			p.note(owner, h, &m, r)
			defer owner.answered()
		}
	}
	p.questions.note(m, c.visited())
	switch {
	case c.own && m.kind != request && m.kind != notification:
		return nil
	case !awaited && (m.kind == response || len(responses) > 0 && len(responses) == len(m.parts)):
		p.Log(c.m.describe() + ": a response that nobody waits for is dropped")
		return nil
	}
	p.host.send(m.raw)
	return nil
}

// owner returns the call that the response r answers, nil where there is none. A body that is the whole answer to one
// request is its response (MCP 2025-11-25, "Sending Messages to the Server"), whatever identifier the server gives it:
// it gets its own back, or the host would wait for ever. On a stream that holds for an identifier that the server has
// read into a number of too few digits; responses to other calls may come there too.
func (p *pump) owner(c *call, m *message, r *message, sole bool) *call {
	want := c.sole()
	switch {
	case want != nil && key(want) == key(r.id):
		return c
	case m.kind != response:
		return c
	}
	if other := p.calls.find(r.id); other != nil {
		return other
	}
	switch {
	case want == nil:
		return nil
	case r.id == nil || string(r.id) == "null":
		if !sole || r.fail == nil {
			return nil
		}
		m.raw = slices.Concat([]byte(`{"jsonrpc":"2.0","id":`), want, []byte(`,"error":`), r.fail, []byte("}"))
	case !sole && !rounded(want, r.id):
		return nil
	default:
		at := cap(m.raw) - cap(r.id) // a part of raw, and both reach to the end of the same memory
		m.raw = slices.Concat(m.raw[:at], want, m.raw[at+len(r.id):])
	}
	r.id = want
	return c
}

// rounded reports whether two identifiers are the same number to a reader that keeps 53 bits of it, or differ in
// quotes alone.
func rounded(want, got []byte) bool {
	a, b := strings.Trim(string(want), `"`), strings.Trim(string(got), `"`)
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return a == b || errX == nil && errY == nil && x == y
}

// note takes from the answer r to a call what later requests depend on.
func (p *pump) note(c *call, h http.Header, m *message, r message) {
	switch c.m.method {
	case "initialize":
		switch {
		case r.result == nil:
		case c.own:
			c.met = opened(h, r)
		default:
			p.enter(opened(h, r))
		}
	case "tools/list":
		if c.m.version >= modern && m.kind == response {
			m.raw = p.tools.learn(m.raw, func(tool string, why error) {
				p.Log("the tool " + credential.Printable(tool, 80) + " is left out: " + why.Error())
			})
		}
	case "logging/setLevel", "resources/subscribe", "resources/unsubscribe":
		if !c.own && r.result != nil {
			p.session.keep(c.m)
		}
	}
}

// relearn deals with a server that misses headers for a tool whose schema has not passed through, or has changed: it
// asks for the tools and reports whether to call again. The refusal itself says that nothing was done.
func (p *pump) relearn(c *call, resp *http.Response) bool {
	body, err := readBody(resp, maxRefusal)
	if err != nil {
		return false
	}
	m, err := peek(bytes.Clone(body))
	if err != nil || string(dig(m.fail, "code")) != codeMismatch || c.m.version < modern {
		return false
	}
	p.Log("the server misses headers; asking for its tools")
	cursor := ""
	for range maxPages {
		params := `{"_meta":` + string(dig(c.m.params, "_meta")) + cursor + `}`
		list, err := peek([]byte(`{"jsonrpc":"2.0","id":` + quote(p.asked.prefix+"tools") + `,"method":"tools/list","params":` + params + `}`))
		if err != nil {
			return false
		}
		asked, err := p.repeat(c.ctx, &list, nil)
		if err != nil {
			return false
		}
		next := dig(asked.got.result, "nextCursor")
		if next == nil || string(next) == "null" {
			return true
		}
		cursor = `,"cursor":` + string(next)
	}
	return true
}

// maxPages bounds how many pages of tools are asked for.
const maxPages = 50

// sessionLost reports whether the server no longer knows the session that asked was sent in: 404 as the specification
// has it, or the 400 of the many servers that look their sessions up in a map. An error that bears the identifier of
// the request is the answer to it, unless a 404 speaks of the session. The body stays readable.
func sessionLost(asked *message, resp *http.Response) bool {
	status := resp.StatusCode
	if status != http.StatusBadRequest && status != http.StatusNotFound {
		return false
	}
	body, err := readBody(resp, maxRefusal)
	if err != nil {
		return status == http.StatusNotFound
	}
	m, err := peek(bytes.Clone(body))
	named := err == nil && strings.Contains(strings.ToLower(digText(m.fail, "message")), "session")
	if err == nil && m.kind == response && asked.id != nil && key(m.id) == key(asked.id) {
		return status == http.StatusNotFound && named
	}
	return status == http.StatusNotFound || named
}

// readBody reads a short body and puts it back.
func readBody(resp *http.Response, max int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, max))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
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

// untrusted reports whether the server's certificate is the trouble, which time does not cure.
func untrusted(err error) bool {
	var cert *tls.CertificateVerificationError
	return errors.As(err, &cert)
}

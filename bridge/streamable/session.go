package streamable

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// session is one with the server, as a request sees it.
type session struct {
	id      string // Mcp-Session-Id; empty: the server keeps no session
	version string // negotiated; empty: not yet
	count   int    // which session of this run it is
}

// sessions remember the handshake: the present session, which every later request names, and what the host said, which
// opens a new one when the server has forgotten the old.
type sessions struct {
	mu       sync.Mutex
	current  session
	hello    *jsonrpc.Message // initialize
	started  *jsonrpc.Message // notifications/initialized
	settings []*jsonrpc.Message
}

func (s *sessions) now() session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// begin notes that the host begins a handshake.
func (s *sessions) begin(hello *jsonrpc.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hello, s.started, s.settings = hello, nil, nil
	s.current = session{count: s.current.count}
}

func (s *sessions) initialized(m *jsonrpc.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = m
}

// set notes a request whose effect lasts as long as the session, once the server has answered it: a new session is told
// the same. It takes the place of an earlier one about the same resource.
func (s *sessions) set(m *jsonrpc.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings = slices.DeleteFunc(s.settings, func(old *jsonrpc.Message) bool { return old.Params.Text("uri") == m.Params.Text("uri") })
	if m.Method != "resources/unsubscribe" {
		s.settings = append(s.settings, m)
	}
}

// sessionOf is the session that an answer to initialize opens.
func sessionOf(h http.Header, r jsonrpc.Message) session {
	return session{id: h.Get(headerSession), version: jsonrpc.Members(r.Result).Text("protocolVersion")}
}

// enter makes a session the present one. What the server has asked the host in the one before it no longer waits for.
func (c *Client) enter(s session) {
	c.sessions.mu.Lock()
	s.count = c.sessions.current.count + 1
	c.sessions.current = s
	c.sessions.mu.Unlock()
	c.serverRequests.withdraw(s.count, c.Out)
}

// renew opens a new session in place of old, which the server no longer knows. Of many callers one does it, and all
// wait for its end. The host sees nothing of it.
func (c *Client) renew(ctx context.Context, old session) error {
	done := c.renewal.DoChan("", func() (any, error) {
		if c.sessions.now().count != old.count {
			return nil, nil
		}
		return nil, c.reopen()
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reopen does the handshake of the host once more. Others see the new session when that is over: a server need not
// answer anything before it.
func (c *Client) reopen() error {
	c.Log("the server has lost the session; opening a new one")
	c.endpoint.Store(&c.URL)
	if _, err := c.Token(c.ctx, token.Need{}); err != nil { // first, because a person may have to be waited for
		return err
	}
	c.sessions.mu.Lock()
	hello, started, settings := c.sessions.hello, c.sessions.started, slices.Clone(c.sessions.settings)
	c.sessions.mu.Unlock()
	call, err := c.repeat(c.ctx, hello, &session{})
	if err == nil && call.result == nil {
		err = errors.New("initialize was refused")
	}
	if err == nil && started != nil {
		_, err = c.repeat(c.ctx, started, &call.opened)
	}
	if err != nil {
		return c.fail(credential.Network, "the server has lost the session, and a new one could not be opened", err)
	}
	for _, m := range settings {
		if again, err := c.repeat(c.ctx, m, &call.opened); err != nil {
			c.Log(again.String() + " has no effect in the new session: " + err.Error())
		}
	}
	c.enter(call.opened)
	c.listener.start(c)
	return nil
}

// repeat sends a message on the bridge's own behalf, in a session where one is given, and returns the call with the
// server's answer. It takes at most Handshake.
func (c *Client) repeat(ctx context.Context, m *jsonrpc.Message, in *session) (*Call, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Handshake)
	defer cancel()
	call := newCall(ctx, m)
	defer call.stop()
	call.own, call.session = true, in
	err := c.Send(call)
	if err == nil && len(call.Pending()) > 0 {
		err = errors.New("there was no answer")
	}
	return call, err
}

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
		err := c.reopen()
		if err == nil && c.Renewed != nil {
			go c.Renewed()
		}
		return nil, err
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reopen does the handshake of the host once more.
func (c *Client) reopen() error {
	c.Log("the server has lost the session; opening a new one")
	if _, err := c.Token(c.ctx, token.Need{}); err != nil { // first, because a person may have to be waited for
		return err
	}
	if _, err := c.handshake(c.ctx, false, nil); err != nil {
		return c.fail(credential.Network, "the server has lost the session, and a new one could not be opened", err)
	}
	return nil
}

// Open does the handshake of a host that was answered in the server's place. It asks no person: where one is needed, need
// is what for. accept judges the server's result of initialize before the session is used.
func (c *Client) Open(ctx context.Context, accept func(result []byte) error) (need token.Need, err error) {
	call, err := c.handshake(ctx, true, accept)
	return call.need, err
}

// Promise has later handshakes ask for a revision that the host was promised in place of the one it had asked for.
func (c *Client) Promise(revision string) {
	c.sessions.mu.Lock()
	defer c.sessions.mu.Unlock()
	asked := c.sessions.hello.Params.Get("protocolVersion")
	if text, ok := jsonrpc.Text(asked); !ok || text == revision {
		return
	}
	if hello, err := jsonrpc.Parse(jsonrpc.Replace(c.sessions.hello.Raw, asked, jsonrpc.NewID(revision))); err == nil {
		c.sessions.hello = &hello
	}
}

// Keep notes a request that was answered in the server's place, for the session that is yet to be opened.
func (c *Client) Keep(m *jsonrpc.Message) { c.sessions.set(m) }

// handshake does the host's handshake. Others see the new session when that is over: a server need not answer anything
// before it.
func (c *Client) handshake(ctx context.Context, silent bool, accept func(result []byte) error) (*Call, error) {
	c.endpoint.Store(&c.URL)
	c.sessions.mu.Lock()
	hello, started, settings := c.sessions.hello, c.sessions.started, slices.Clone(c.sessions.settings)
	c.sessions.mu.Unlock()
	call, err := c.repeat(ctx, hello, &session{}, silent)
	if err == nil && call.result == nil {
		err = errors.New("initialize was refused")
	}
	if err == nil && accept != nil {
		err = accept(call.result)
	}
	if err == nil && started != nil {
		var second *Call
		second, err = c.repeat(ctx, started, &call.opened, silent)
		call.need = second.need
	}
	if err != nil {
		return call, err
	}
	for _, m := range settings {
		if again, err := c.repeat(ctx, m, &call.opened, silent); err != nil {
			c.Log(again.String() + " has no effect in the new session: " + err.Error())
		}
	}
	c.enter(call.opened)
	if started != nil {
		c.listener.start(c)
	}
	return call, nil
}

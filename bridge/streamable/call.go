package streamable

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// Call is one message on its way to the server, with the requests in it that have no answer yet.
type Call struct {
	m         *jsonrpc.Message
	revision  string // that a stateless request names for itself (MCP 2026-07-28); "" in older ones
	ctx       context.Context
	stop      context.CancelFunc
	sent      atomic.Bool // the present attempt has been written: the server may be at work
	cancelled atomic.Bool // by the host, as a whole
	taken     chan struct{}
	once      sync.Once // of taken

	session *session   // that it goes to; nil: the present one
	own     bool       // the host has not sent it and sees nothing of it
	silent  bool       // it asks no person
	need    token.Need // what it needed a person for
	result  []byte     // of a call of our own
	opened  session    // by an initialize of our own

	mu      sync.Mutex
	pending []jsonrpc.ID
	in      session // that the last attempt went to
}

func newCall(ctx context.Context, m *jsonrpc.Message) *Call {
	c := &Call{m: m, revision: Revision(m), pending: m.Requests(), taken: make(chan struct{})}
	c.ctx, c.stop = context.WithCancel(ctx)
	return c
}

// Context ends when the host cancels the call, and with the bridge.
func (c *Call) Context() context.Context { return c.ctx }

// Message is what the call sends.
func (c *Call) Message() *jsonrpc.Message { return c.m }

// Stateless reports whether the call is of a revision without sessions.
func (c *Call) Stateless() bool { return c.revision >= stateless }

// Stateless reports whether a message is of a revision without sessions.
func Stateless(m *jsonrpc.Message) bool { return Revision(m) >= stateless }

// Revision is what a message of a stateless revision names for itself; else empty.
func Revision(m *jsonrpc.Message) string { return m.Params.Text("_meta", metaVersion) }

// Claim takes it upon the caller to answer the request of a call, and reports whether nobody has answered it yet. What the
// server answers later is dropped.
func (c *Call) Claim() bool {
	id := c.only()
	return id != nil && c.answer(id)
}

// Taken is closed when the server has taken the message, or will not: what waits for it may go on.
func (c *Call) Taken() <-chan struct{} { return c.taken }

func (c *Call) take() { c.once.Do(func() { close(c.taken) }) }

// Cancelled reports whether the host has cancelled the call.
func (c *Call) Cancelled() bool { return c.cancelled.Load() }

// Pending returns the requests that have no answer yet.
func (c *Call) Pending() []jsonrpc.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending
}

// only returns the request of a call that is one, until it is answered.
func (c *Call) only() jsonrpc.ID {
	if pending := c.Pending(); c.m.Kind == jsonrpc.Request && len(pending) == 1 {
		return pending[0]
	}
	return nil
}

// answer notes that there is an answer to id, and reports whether there was none before.
func (c *Call) answer(id jsonrpc.ID) bool {
	key := id.Key()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, one := range c.pending {
		if one.Key() == key {
			c.pending = append(c.pending[:i:i], c.pending[i+1:]...)
			return true
		}
	}
	return false
}

func (c *Call) attemptIn(s session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = s
}

func (c *Call) lastSession() session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in
}

// String is what a log calls the call: its method, made printable, and nothing of what it says.
func (c *Call) String() string {
	switch {
	case c.m.Method != "":
		return credential.Printable(c.m.Method, 80)
	case c.m.Kind == jsonrpc.Batch:
		return "a batch"
	}
	return "an answer of the host"
}

// calls are those under way.
type calls struct {
	mu    sync.Mutex
	byID  map[string]*Call
	count int
	none  []chan struct{} // to be closed when there are none any more
}

func (s *calls) add(c *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	for _, id := range c.pending {
		s.byID[id.Key()] = c
	}
}

func (s *calls) end(c *Call) {
	c.stop()
	c.take()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range c.m.Requests() {
		if k := id.Key(); s.byID[k] == c {
			delete(s.byID, k)
		}
	}
	if s.count--; s.count == 0 {
		for _, none := range s.none {
			close(none)
		}
		s.none = nil
	}
}

// find returns the call under way that waits for the answer to id, or nil.
func (s *calls) find(id jsonrpc.ID) *Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id.Key()]
}

// cancelGrace is how long the answer to a cancelled request may still come: then its connection is given back.
const cancelGrace = 30 * time.Second

// cancel deals with the host's wish to cancel a request, and reports whether that is all there is to do. In a stateless
// revision closing the response is the cancellation (MCP 2026-07-28, "Cancellation"); before it, the server must be told,
// once the request itself is on its way. A request that has not left yet, or whose attempt has come to nothing, never
// leaves. Of a batch the rest goes on.
func (s *calls) cancel(id jsonrpc.ID) bool {
	c := s.find(id)
	if c == nil || !c.answer(id) || len(c.Pending()) > 0 {
		return false
	}
	c.cancelled.Store(true)
	if c.sent.Load() && c.revision < stateless {
		time.AfterFunc(cancelGrace, c.stop)
		return false
	}
	c.stop()
	return true
}

// wait waits until there are none, at most d.
func (s *calls) wait(d time.Duration) {
	s.mu.Lock()
	if s.count == 0 {
		s.mu.Unlock()
		return
	}
	none := make(chan struct{})
	s.none = append(s.none, none)
	s.mu.Unlock()
	_ = wait.For(context.Background(), none, d)
}

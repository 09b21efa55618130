package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/streamable"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// connection is whether the server is there for a host that was answered in its place. Any goroutine may use it.
type connection struct {
	mu      sync.Mutex
	open    bool
	err     error      // why not
	need    token.Need // what a person is needed for, where err says that one is
	changed chan struct{}
	ready   chan struct{} // closed when the host has finished its side of the handshake
	stop    context.CancelFunc
	since   time.Time // when the host's first request came
	meta    []byte    // what a stateless host says with each request (MCP 2026-07-28); nil: the host keeps a session
}

func newConnection() *connection {
	return &connection{open: true, changed: make(chan struct{}), ready: make(chan struct{}), stop: func() {}}
}

// begin starts anew for a host that begins a handshake: until somebody answers in its place, the server is there. A host that
// begins once more, with another revision, has waited already.
func (c *connection) begin() {
	c.set(func() {
		c.stop()
		if c.open {
			c.since = time.Now()
		}
		c.open, c.err, c.need, c.ready, c.stop, c.meta = true, nil, token.Need{}, make(chan struct{}), func() {}, nil
	})
}

// began is when the host's first request came.
func (c *connection) began() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.since
}

// note notes what a stateless host says of itself, without what it says of one request.
func (c *connection) note(meta []byte) {
	own := map[string]json.RawMessage{}
	for _, m := range jsonrpc.Members(meta) {
		if strings.HasPrefix(m.Name, "io.modelcontextprotocol/") {
			own[m.Name] = bytes.Clone(m.Value)
		}
	}
	text, _ := json.Marshal(own) // valid JSON has an encoding
	c.mu.Lock()
	defer c.mu.Unlock()
	c.meta = text
}

// host returns what a stateless host says of itself, and what is closed once a host with a session has finished its side
// of the handshake.
func (c *connection) host() (meta []byte, ready <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.meta, c.ready
}

// hostReady notes that the host has finished its side of the handshake.
func (c *connection) hostReady() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.ready:
	default:
		close(c.ready)
	}
}

// set changes something, and wakes whoever waits for a change.
func (c *connection) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.changed)
	c.changed = make(chan struct{})
}

// state returns what there is to know, and what is closed when that changes.
func (c *connection) state() (open bool, need token.Need, changed <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.need, c.changed, c.err
}

func (c *connection) isOpen() bool {
	open, _, _, _ := c.state()
	return open
}

// awaitServer waits until the server is there, and for a person where one is needed for that, as a request to it would.
func (b *bridge) awaitServer(call *streamable.Call) error {
	var until time.Time
	for {
		open, need, changed, err := b.connection.state()
		var other revisionError
		switch {
		case open:
			return nil
		case errors.As(err, &other):
			return credential.Fail(credential.BadAnswer, err.Error(), nil)
		case token.NeedsSignIn(err):
			if _, err := b.prompter.Token(call.Context(), need); err != nil {
				return err
			}
		}
		if until.IsZero() {
			until = time.Now().Add(b.Retry)
		}
		if wait.For(call.Context(), changed, time.Until(until)) == nil {
			continue
		}
		if ctx := call.Context(); ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = credential.Fail(credential.Network, "the server has not answered yet", nil)
		}
		return err
	}
}

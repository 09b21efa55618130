package bridge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// call is one message of the host on its way, with what is still owed to the host for it.
type call struct {
	m       *message
	ctx     context.Context
	stop    context.CancelFunc
	away    atomic.Bool   // the present attempt has been written: the server may be at work
	next    chan struct{} // closed when what waits for this message may go on; nil: nothing does
	passed  sync.Once
	dropped atomic.Bool // cancelled by the host, as a whole

	mu   sync.Mutex
	owed [][]byte // identifiers without an answer
	via  *view    // the session it goes to; nil: the present one
	seen view     // the session that the last attempt went to
	own  bool     // ours: the host has not sent it and sees nothing of it
	got  message  // the answer to a call of our own
	met  view     // the session that the answer to an initialize of our own has opened
}

// visit notes the session of an attempt.
func (c *call) visit(s view) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = s
}

func (c *call) visited() view {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

// release lets go on what waits for this message.
func (c *call) release() {
	if c.next != nil {
		c.passed.Do(func() { close(c.next) })
	}
}

// answer notes that the response r is here, and reports whether this call is owed it.
func (c *call) answer(r message) bool { return c.settle(key(r.id)) }

// settle takes the identifier with this key off what is owed, and reports whether it was.
func (c *call) settle(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, one := range c.owed {
		if key(one) == id {
			c.owed = append(c.owed[:i:i], c.owed[i+1:]...)
			return true
		}
	}
	return false
}

// answered lets go on what waits for this message once nothing is owed for it any more.
func (c *call) answered() {
	if len(c.open()) == 0 {
		c.release()
	}
}

// sole returns the identifier of a call that is one request, until it is answered.
func (c *call) sole() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m.kind != request || len(c.owed) != 1 {
		return nil
	}
	return c.owed[0]
}

// open returns the identifiers that are still owed an answer.
func (c *call) open() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owed
}

// calls are the messages in flight.
type calls struct {
	mu   sync.Mutex
	byID map[string]*call
	busy int
	idle []chan struct{} // whom to tell when nothing is busy any more
}

func (s *calls) init() { s.byID = map[string]*call{} }

func newCall(ctx context.Context, m *message) *call {
	c := &call{m: m, owed: m.requests()}
	c.ctx, c.stop = context.WithCancel(ctx)
	return c
}

func (s *calls) begin(ctx context.Context, m *message, next chan struct{}) *call {
	c := newCall(ctx, m)
	c.next = next
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
	for _, id := range c.owed {
		s.byID[key(id)] = c
	}
	return c
}

func (s *calls) end(c *call) {
	c.stop()
	c.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range c.m.requests() {
		if k := key(id); s.byID[k] == c {
			delete(s.byID, k)
		}
	}
	if s.busy--; s.busy == 0 {
		for _, idle := range s.idle {
			close(idle)
		}
		s.idle = nil
	}
}

// find returns the call in flight that is owed the answer to id, or nil.
func (s *calls) find(id []byte) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[key(id)]
}

// cancel deals with the host's wish to cancel the request id, and reports whether that is all there is to do. In a
// stateless revision closing the response is the cancellation (MCP 2026-07-28, "Cancellation"); before it, the server
// must be told, once the request itself is on its way. A request that has not left yet, or whose attempt has come to
// nothing, never leaves. Of a batch the rest goes on.
func (s *calls) cancel(id string) bool {
	s.mu.Lock()
	c := s.byID[id]
	s.mu.Unlock()
	if c == nil || !c.settle(id) || len(c.open()) > 0 {
		return false
	}
	c.dropped.Store(true)
	if c.away.Load() && c.m.version < modern {
		time.AfterFunc(cancelGrace, c.stop)
		return false
	}
	c.stop()
	return true
}

// cancelGrace is how long the answer to a cancelled request may still come: then its connection is given back.
const cancelGrace = 30 * time.Second

// wait waits until nothing is in flight, at most d.
func (s *calls) wait(d time.Duration) {
	s.mu.Lock()
	if s.busy == 0 {
		s.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	s.idle = append(s.idle, idle)
	s.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
}

package bridge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/standin"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// Memory keeps what a server said last, for the next run. Any goroutine may call it; it may wait for a keychain.
type Memory interface {
	// Recall returns what is kept; nil: nothing is.
	Recall(ctx context.Context) ([]byte, error)
	// Remember keeps what update makes of what was kept before.
	Remember(ctx context.Context, update func(old []byte) []byte) error
}

// memory moves what the stand-in knows between it and a Memory.
type memory struct {
	Memory
	ctx     context.Context
	standIn *standin.StandIn
	log     func(string)
	once    sync.Once
	done    chan struct{} // closed once what is kept was recalled, or cannot be
	news    atomic.Bool   // there is something to keep
}

func newMemory(ctx context.Context, m Memory, s *standin.StandIn, log func(string)) *memory {
	return &memory{Memory: m, ctx: ctx, standIn: s, log: log, done: make(chan struct{})}
}

// recall recalls what is kept, once.
func (m *memory) recall() {
	m.once.Do(func() {
		defer close(m.done)
		if m.Memory == nil {
			return
		}
		kept, err := m.Recall(m.ctx)
		if err != nil {
			m.log("what the server said last is not known: " + err.Error())
		}
		m.standIn.Recall(kept)
	})
}

// recallWithin is recall, and waits for no longer than that.
func (m *memory) recallWithin(most time.Duration) {
	go m.recall()
	_ = wait.For(m.ctx, m.done, most)
}

// keepPause is how long news are gathered before they are kept: a host asks for all lists at once.
const keepPause = 2 * time.Second

// learn is streamable.Learn.
func (m *memory) learn(request *jsonrpc.Message, raw, result []byte, ours bool) []byte {
	if m.standIn.Learn(request, result, ours) && !m.news.Swap(true) {
		time.AfterFunc(keepPause, func() { m.keep(m.ctx) })
	}
	return m.standIn.Screen(request, raw)
}

// keep keeps what is new.
func (m *memory) keep(ctx context.Context) {
	if m.Memory == nil || ctx.Err() != nil || !m.news.Swap(false) {
		return
	}
	if err := m.Remember(ctx, m.standIn.Update); err != nil {
		m.log("what the server said is not kept: " + err.Error())
	}
}

// finish keeps what is new before the bridge ends.
func (m *memory) finish(most time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	done := make(chan struct{})
	go func() {
		defer cancel()
		m.keep(ctx)
		close(done)
	}()
	_ = wait.For(ctx, done, most)
}

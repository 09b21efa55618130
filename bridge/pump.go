package bridge

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// pump is one running bridge.
type pump struct {
	Config
	life      context.Context // ends with the bridge
	host      *host
	keeper    *keeper
	door      *door
	session   session
	calls     calls
	tools     tools
	asked     asked
	questions questions
	place     atomic.Pointer[string] // where the server has moved to on its own origin
	listen    listener

	turn  chan struct{} // closed when the handshake step before has been answered; fromHost's own
	order chan struct{} // closed when the notification before is through; fromHost's own
}

func newPump(ctx context.Context, c Config) *pump {
	p := &pump{Config: c, life: ctx, host: newHost(c.Out), turn: closed(), order: closed()}
	p.calls.init()
	p.asked.init()
	p.keeper = newKeeper(p)
	p.door = &door{p: p}
	p.place.Store(&c.URL)
	return p
}

// gather is an empty one for a message of either side.
func (p *pump) gather() gather { return gather{max: p.MaxMessage, large: p.Large} }

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// fromHost takes one line of the host and returns at once; everything that waits happens in a goroutine of its own, also
// for a host that does not read: the end of its lines must still be seen.
// initialize and notifications/initialized are passed before anything that follows them, and notifications in their
// order; requests run side by side.
func (p *pump) fromHost(line []byte) {
	m, err := peek(line)
	switch {
	case len(bytes.Trim(line, space)) == 0:
		return
	case errors.Is(err, errNotJSON):
		go p.host.send(failure(nil, codeParse, "the line is not JSON", nil))
		return
	case err != nil:
		go p.host.send(failure(m.id, codeInvalid, "the line is not a JSON-RPC message", nil))
		return
	case m.kind == response && p.asked.take(m):
		return
	}
	var via *view
	if m.kind == response {
		if via = p.questions.take(&m); via != nil && via.count != p.session.view().count {
			p.Log("an answer of the host is dropped: the server has lost the session in which it asked")
			return
		}
	}
	turn, order := p.turn, closed()
	var next chan struct{}
	switch {
	case m.method == "initialize" || m.method == "notifications/initialized":
		next = make(chan struct{})
		p.turn = next
		p.session.hear(&m)
		if m.method == "initialize" {
			p.place.Store(&p.URL)
		}
	case m.method == "notifications/cancelled":
		if p.calls.cancel(key(dig(m.params, "requestId"))) {
			return
		}
	case m.kind == notification:
		next = make(chan struct{})
		order, p.order = p.order, next
	case m.method == "logging/setLevel":
		p.session.setLevel(digText(m.params, "level"))
	}
	c := p.calls.begin(p.life, &m, next)
	c.via = via
	go func() {
		defer p.calls.end(c)
		inTurn(c.ctx, turn)
		inTurn(c.ctx, order)
		p.pass(c)
	}()
}

// inTurn waits for the message before, within bounds: a server that does not answer a notification holds up nothing else.
func inTurn(ctx context.Context, before <-chan struct{}) {
	select {
	case <-before:
		return
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, credential.HTTPMetadata)
	defer cancel()
	_ = wait(ctx, before)
}

// tooLong answers in place of whoever would have: the host gets an error for its request, and the server for the host's
// response, whose identifier says nothing to the host.
func (p *pump) tooLong(seen *skim) {
	p.Log("the host sent a line that is too long")
	instead := failure(seen.id, codeInvalid, "the message is larger than the bridge takes", nil)
	switch seen.kind() {
	case request:
		go p.host.send(instead)
	case response:
		p.fromHost(instead)
	}
}

// pass brings one message to the server and what comes of it to the host.
func (p *pump) pass(c *call) {
	p.listen.await(c.ctx, c.m)
	began := time.Now()
	err := p.exchange(c)
	if err != nil {
		p.Log(c.m.describe() + ": " + p.reason(c, err))
	} else {
		p.Log(c.m.describe() + ": done in " + time.Since(began).Round(time.Millisecond).String())
	}
	for _, id := range c.open() {
		p.host.send(p.failureOf(id, err))
	}
}

func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rest waits for d or the end of ctx.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// describe names a message in a log: its method, made printable, and nothing of what it says.
func (m *message) describe() string {
	switch {
	case m.method != "":
		return credential.Printable(m.method, 80)
	case m.kind == batch:
		return "a batch"
	}
	return "an answer of the host"
}

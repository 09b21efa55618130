package bridge

import (
	"bytes"
	"errors"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/streamable"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// receive takes one line of the host and returns at once; everything that waits happens in a goroutine of its own, also
// for a host that does not read: the end of its lines must still be seen.
func (b *bridge) receive(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	m, err := jsonrpc.Parse(line)
	switch {
	case errors.Is(err, jsonrpc.ErrNotJSON):
		go b.out.Send(jsonrpc.NewError(nil, jsonrpc.ParseError, "the line is not JSON", nil))
		return
	case err != nil:
		go b.out.Send(jsonrpc.NewError(m.ID, jsonrpc.InvalidRequest, "the line is not a JSON-RPC message", nil))
		return
	case m.Kind == jsonrpc.Response && b.host.TakeResponse(m):
		return
	case m.Method == "initialize":
		b.host.Initialize(m.Params)
	case m.Method == "logging/setLevel":
		b.host.SetLevel(m.Params.Text("level"))
	}
	b.begin(&m)
	call := b.client.Begin(&m)
	if call == nil {
		return
	}
	before := b.order.before(&m, call)
	go func() {
		defer b.client.End(call)
		for _, taken := range before {
			_ = wait.For(call.Context(), taken, credential.HTTPMetadata) // within bounds: a server that does not answer holds up nothing else
		}
		b.serve(call)
	}()
}

// send brings one message to the server and what comes of it to the host.
func (b *bridge) send(call *streamable.Call) {
	began := time.Now()
	err := b.client.Send(call)
	if err != nil {
		b.Log(call.String() + ": " + reason(call, err))
	} else {
		b.Log(call.String() + ": done in " + time.Since(began).Round(time.Millisecond).String())
	}
	b.fail(call, err)
}

// fail tells the host why what is pending of a call got no answer.
func (b *bridge) fail(call *streamable.Call, err error) {
	for _, id := range call.Pending() {
		answer := b.fallback(call, err)
		if answer == nil {
			answer = b.errorResponse(id, err)
		}
		b.out.Send(answer)
	}
}

// tooLong answers in place of whoever would have: the host gets an error for its request, and the server for the host's
// response, whose identifier says nothing to the host.
func (b *bridge) tooLong(m *jsonrpc.Oversized) {
	b.Log("the host sent a line that is too long")
	instead := jsonrpc.NewError(m.ID, jsonrpc.InvalidRequest, "the message is larger than the bridge takes", nil)
	switch m.Kind() {
	case jsonrpc.Request:
		go b.out.Send(instead)
	case jsonrpc.Response:
		b.receive(instead)
	}
}

// order is what the next message of the host waits for: initialize and notifications/initialized are passed before
// anything that follows them, and notifications in their order; requests run side by side.
type order struct{ handshake, notification <-chan struct{} }

func newOrder() order {
	none := make(chan struct{})
	close(none)
	return order{none, none}
}

// before returns what a message waits for, and has later ones wait for it.
func (o *order) before(m *jsonrpc.Message, call *streamable.Call) []<-chan struct{} {
	wait := []<-chan struct{}{o.handshake}
	switch {
	case m.Method == "initialize" || m.Method == "notifications/initialized":
		o.handshake = call.Taken()
	case m.Kind == jsonrpc.Notification && m.Method != "notifications/cancelled":
		wait = append(wait, o.notification)
		o.notification = call.Taken()
	}
	return wait
}

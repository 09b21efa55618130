package bridge

import (
	"context"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/standin"
	"github.com/mcp-credential/mcp-credential/bridge/streamable"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// serve answers one message of the host: by the server, or in its place.
func (b *bridge) serve(call *streamable.Call) {
	m := call.Message()
	switch {
	case b.standIn == nil:
		b.send(call)
	case m.Method == "initialize" || m.Method == "server/discover":
		start{b, call}.serve()
	case b.standIn.IsSignIn(m):
		toolCall{b, call}.serve()
	case b.answerInstead(call):
	case m.Method == "subscriptions/listen":
		b.listen(call)
	case (m.Kind == jsonrpc.Notification || m.Kind == jsonrpc.Response) && !b.connection.isOpen(): // the server has no session that it belongs to
		if m.Method == "notifications/initialized" {
			b.host.Initialized()
			b.connection.hostReady()
		}
	default:
		if err := b.awaitServer(call); err != nil {
			b.fail(call, err)
			return
		}
		b.send(call)
	}
}

// answerInstead answers a request in the server's place where it should, and reports whether it has.
func (b *bridge) answerInstead(call *streamable.Call) bool {
	m := call.Message()
	if m.Kind != jsonrpc.Request {
		return false
	}
	if standin.IsList(m.Method) && b.standIn.Away() {
		b.memory.recallWithin(b.StartWait)
	}
	answer := b.standIn.Answer(m, call.Stateless())
	if answer == nil || !call.Claim() {
		return answer != nil
	}
	if m.Method == "logging/setLevel" {
		b.client.Keep(m)
	}
	b.Log(call.String() + ": answered in place of the server")
	b.out.Send(answer)
	return true
}

// listen keeps a host's subscription, which is its way to hear of changes, also while the server is not there.
func (b *bridge) listen(call *streamable.Call) {
	m := call.Message()
	defer b.subscriptions.add(m.ID)()
	for first := true; ; first = false {
		open, _, changed, _ := b.connection.state()
		if open {
			b.send(call)
			return
		}
		if first {
			b.out.Send(jsonrpc.NewNotification("notifications/subscriptions/acknowledged", subscribed(m.ID, m.Params.Get("notifications"))))
		}
		select {
		case <-changed:
		case <-call.Context().Done():
			return
		}
	}
}

// sentence is what is wrong and what to do about it.
func (b *bridge) sentence(err error) string {
	text := strings.TrimSuffix(err.Error(), ".")
	if hint := b.Hint(err); hint != "" {
		text += "; " + hint
	}
	return text
}

// say says something as an MCP log message and in the log.
func (b *bridge) say(level, text string) {
	b.Log(text)
	b.host.Notify(level, text)
}

// begin notes what a message says of the host, in the order of the host's messages.
func (b *bridge) begin(m *jsonrpc.Message) {
	if b.standIn == nil {
		return
	}
	if m.Method == "initialize" || m.Method == "server/discover" {
		b.connection.begin()
		b.standIn.Begin()
	}
	if streamable.Stateless(m) {
		b.connection.note(m.Params.Get("_meta"))
	}
}

// fallback answers in the server's place what has failed with err: a list as it was last, and a call of a tool with a result,
// which the model reads, where only a person can help or the server is not there yet. It is nil where an error is the answer.
func (b *bridge) fallback(call *streamable.Call, err error) []byte {
	m := call.Message()
	if b.standIn == nil || m.Kind != jsonrpc.Request || err == nil || streamable.MayHaveRun(err) {
		return nil
	}
	if m.Method != "tools/call" {
		return b.standIn.Fallback(m, call.Stateless())
	}
	if b.connection.isOpen() && !token.NeedsSignIn(err) {
		return nil
	}
	return standin.ToolResult(m.ID, call.Stateless(), b.Name+": "+b.sentence(err), true)
}

// needed reports whether somebody has to sign in before anything can be done, and what for.
func (b *bridge) needed() (token.Need, bool) {
	if open, need, _, err := b.connection.state(); !open && token.NeedsSignIn(err) {
		return need, true
	}
	return b.tokens.PersonNeeded()
}

// personNeeded takes up that somebody has to sign in, or no longer has to.
func (b *bridge) personNeeded() {
	b.turning.Lock()
	defer b.turning.Unlock()
	_, need := b.needed()
	if !b.standIn.NeedSignIn(need) {
		return
	}
	switch {
	case need:
		go b.watchSignIn(b.ctx)
		b.tellChanged()
	case b.connection.isOpen():
		go b.compare(b.ctx)
	}
}

// How often it is looked whether somebody has signed in, here or elsewhere: at first, and once that has taken long.
const (
	watchFirst = time.Second
	watchLater = 5 * time.Second
	watchLong  = 5 * time.Minute
)

// watchSignIn looks for a token until there is one.
func (b *bridge) watchSignIn(ctx context.Context) {
	pause := watchFirst
	for began := time.Now(); wait.Sleep(ctx, pause) == nil; {
		if _, needed := b.needed(); !needed {
			return
		}
		_, _ = b.tokens.Ask(ctx, token.Need{})
		if time.Since(began) > watchLong {
			pause = watchLater
		}
	}
}

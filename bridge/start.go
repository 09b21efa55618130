package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/streamable"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// start is the host's first request.
type start struct {
	*bridge
	call *streamable.Call
}

// serve passes it on, and answers it in the server's place where that does not in StartWait.
func (b start) serve() {
	call := b.call
	began := b.connection.began()
	sent := make(chan error, 1)
	go func() { sent <- b.client.Send(call) }()
	err := error(credential.Fail(credential.Network, "the server has not answered in "+b.StartWait.String(), nil))
	end := began.Add(b.StartWait - min(b.StartWait/10, answerTime))
	timer := time.NewTimer(time.Until(end) / 2)
	defer timer.Stop()
	select {
	case err = <-sent:
	case <-timer.C:
		go b.memory.recall()
		timer.Reset(time.Until(end))
		select {
		case err = <-sent:
		case <-timer.C:
		}
	}
	if len(call.Pending()) == 0 {
		b.Log(call.String() + ": done in " + time.Since(began).Round(time.Millisecond).String())
		return
	}
	if err == nil {
		err = credential.Fail(credential.Network, noResponse, nil)
	}
	b.memory.recallWithin(max(time.Until(end), recallLeast))
	if !call.Claim() {
		return // the server was a little late, or the host has cancelled it
	}
	b.Log(call.String() + ": answered in place of the server: " + err.Error())
	b.standFor(err)
}

// answerTime is what is left of StartWait for the answer itself.
const answerTime = 50 * time.Millisecond

// recallLeast is what a start waits for what is remembered of the server, though its time is over.
const recallLeast = 50 * time.Millisecond

// standFor answers it in the server's place, and goes on trying to reach that.
func (b start) standFor(why error) {
	m := b.call.Message()
	why = b.reason(why)
	text := "When this began, " + b.Name + " could not be used: " + b.sentence(why) + "."
	var answer []byte
	var open func(context.Context) (token.Need, error)
	if m.Method == "initialize" {
		var revision string
		answer, revision = b.standIn.Initialize(m, text)
		b.client.Promise(revision)
		open = b.openSession(revision)
	} else {
		answer = b.standIn.Discover(m, text)
		open = b.openStateless
	}
	ctx, stop := context.WithCancel(b.ctx)
	b.connection.set(func() { b.connection.open, b.connection.err, b.connection.stop = false, why, stop })
	b.personNeeded()
	b.out.Send(answer)
	go b.connect(ctx, open)
}

// reason is err, or where that only says that there was no time, what is known to be in the way.
func (b start) reason(err error) error {
	if _, needed := b.tokens.PersonNeeded(); needed && !token.NeedsSignIn(err) {
		return &credential.Error{Kind: credential.NoSignIn, Server: b.URL, Text: "nobody is signed in"}
	}
	return err
}

// revisionError says that the server speaks another revision than the host was promised. Only the host can change that.
type revisionError struct{ promised, speaks string }

func (e revisionError) Error() string {
	text := "the server does not speak MCP " + credential.Printable(e.promised, 40) + ", with which this host has begun"
	if e.speaks != "" {
		text += ", but " + credential.Printable(e.speaks, 40)
	}
	return text + "; have the host connect to it again"
}

// The pauses between attempts to reach a server that is not there.
const (
	connectLeast = 250 * time.Millisecond
	connectMost  = 4 * time.Second
)

// readyWait is how long the handshake waits for the host to finish its side.
const readyWait = 5 * time.Second

// connect reaches the server that the host was answered in place of, and then tells the host what has changed.
func (b start) connect(ctx context.Context, open func(context.Context) (token.Need, error)) {
	said := ""
	for pause := connectLeast; ; pause = min(2*pause, connectMost) {
		arrived := b.tokens.Changed()
		need, err := open(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			break
		}
		b.connection.set(func() { b.connection.err, b.connection.need = err, need })
		b.personNeeded()
		if text := b.sentence(err); text != said {
			b.say("warning", b.Name+" cannot be used yet: "+text)
			said = text
		}
		var other revisionError
		if errors.As(err, &other) {
			return
		}
		most := pause
		if token.NeedsSignIn(err) {
			most = signInPause
		}
		_ = wait.For(ctx, arrived, most)
	}
	b.connection.set(func() { b.connection.open, b.connection.err = true, nil })
	b.turning.Lock()
	_, needed := b.needed()
	b.standIn.NeedSignIn(needed)
	b.turning.Unlock()
	b.standIn.Arrived()
	b.Log("the server is there")
	b.compare(ctx)
}

// signInPause is how long after a failure for want of a sign-in the server is tried again without a new token.
const signInPause = 30 * time.Second

// openSession opens the session that the host was promised.
func (b start) openSession(promised string) func(context.Context) (token.Need, error) {
	return func(ctx context.Context) (token.Need, error) {
		_, ready := b.connection.host()
		_ = wait.For(ctx, ready, readyWait)
		return b.client.Open(ctx, func(result []byte) error {
			if speaks := jsonrpc.Members(result).Text("protocolVersion"); speaks != promised {
				return revisionError{promised, speaks}
			}
			return nil
		})
	}
}

// openStateless asks a server without sessions whether it speaks the revision of the host.
func (b start) openStateless(ctx context.Context) (token.Need, error) {
	revision := streamable.Revision(b.call.Message())
	result, need, err := b.client.Ask(ctx, "server/discover", map[string]json.RawMessage{"_meta": b.call.Message().Params.Get("_meta")})
	if err != nil && credential.KindOf(err) != credential.BadAnswer {
		return need, err
	}
	versions := jsonrpc.Elements(jsonrpc.Members(result).Get("supportedVersions"))
	if slices.ContainsFunc(versions, func(v []byte) bool { text, _ := jsonrpc.Text(v); return text == revision }) {
		return need, nil
	}
	b.memory.learn(b.call.Message(), nil, nil, true) // for the next start
	return need, revisionError{promised: revision}
}

package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/signin"
	"github.com/mcp-credential/mcp-credential/bridge/standin"
	"github.com/mcp-credential/mcp-credential/bridge/streamable"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// How long a second call of the sign-in tool waits for the person, how often it tells the host that it does, and how long a
// call waits for the server once somebody has signed in.
const (
	toolWait      = 50 * time.Second
	toolProgress  = 5 * time.Second
	toolReconnect = 5 * time.Second
)

// toolCall is a call of the sign-in tool.
type toolCall struct {
	*bridge
	call *streamable.Call
}

func (b toolCall) serve() {
	text, failed := b.invite()
	if b.call.Claim() {
		b.Log("the sign-in tool has said: " + text)
		b.out.Send(standin.ToolResult(b.call.Message().ID, b.call.Stateless(), text, failed))
	}
}

// invite begins a sign-in, or joins the one under way, and says what the person has to do. It waits for the person only where
// that was said before.
func (b toolCall) invite() (text string, failed bool) {
	ctx := b.call.Context()
	completed := b.prompter.Completed() // before it is looked whether one is needed
	need, needed := b.needed()
	if !needed || b.justSignedIn(ctx, need) {
		return b.signedIn(ctx), false
	}
	in, err := b.prompter.Invite(ctx, need, completed)
	if err != nil {
		return "The sign-in to " + b.Name + " was given up.", true
	}
	if in.By != signin.ByNothing && in.Again && b.awaitPerson(in) {
		return b.signedIn(ctx), false
	}
	select {
	case <-in.Done:
		if in.Err() == nil {
			return b.signedIn(ctx), false
		}
		return b.notSignedIn(in.Err()), true
	default:
	}
	text = b.whatToDo(in)
	if in.Again {
		return "The sign-in to " + b.Name + " has been waiting for the person for " + in.Since.Round(time.Second).String() + ". " + text, false
	}
	return text, false
}

// justSignedIn looks whether somebody has signed in since it was last known that somebody has to.
func (b toolCall) justSignedIn(ctx context.Context, need token.Need) bool {
	if _, _, _, err := b.connection.state(); credential.KindOf(err) == credential.StepUp {
		return false // there is a token, and it is not enough
	}
	ctx, cancel := context.WithTimeout(ctx, watchFirst)
	defer cancel()
	for range 2 { // the first may join a question that was asked before
		if t, err := b.tokens.Ask(ctx, token.Need{}); err == nil && t.Valid(b.Now()) && !t.Access.Equal(need.Refused) {
			return true
		}
	}
	return false
}

// awaitPerson waits until somebody has signed in, tells the host that it does, and reports whether somebody has.
func (b toolCall) awaitPerson(in signin.Invitation) bool {
	progress := b.call.Message().Params.Get("_meta", "progressToken")
	for began := time.Now(); ; {
		if wait.For(b.call.Context(), in.Done, toolProgress) == nil {
			return in.Err() == nil
		}
		waited := time.Since(began)
		if b.call.Context().Err() != nil || waited >= toolWait {
			return false
		}
		if progress != nil {
			b.out.Send(jsonrpc.NewNotification("notifications/progress", struct {
				Token    json.RawMessage `json:"progressToken"`
				Progress float64         `json:"progress"`
				Total    float64         `json:"total"`
				Message  string          `json:"message"`
			}{progress, waited.Round(time.Second).Seconds(), toolWait.Seconds(), "waiting for the sign-in to " + b.Name}))
		}
	}
}

// whatToDo says what the person has to do.
func (b toolCall) whatToDo(in signin.Invitation) string {
	const again = " Call this tool again afterwards."
	switch in.By {
	case signin.ByHost:
		return "The address where the person signs in to " + b.Name + " was given to this application, which shows it to them: tell them to open it and to sign in there." + again
	case signin.ByCode:
		text := "To sign in to " + b.Name + ", the person opens " + in.Code.Address + " on any device and enters the code " + in.Code.Code + "."
		if in.Code.Complete != "" {
			text += " Or they open " + in.Code.Complete + "."
		}
		return text + " This lets " + in.Code.Server + " receive access tokens of " + in.Code.Issuer + scopesOf(in.Code) + ". Tell the person all of this." + again
	}
	text := "A page for the sign-in to " + b.Name + " has opened in the browser of this machine: tell the person to sign in there."
	if command := b.command(); command != "" {
		text += " If they see no such page, they can run this in a terminal: " + command + "."
	}
	return text + again
}

func scopesOf(c signin.Code) string {
	if len(c.Scopes) == 0 {
		return ""
	}
	return " with the scopes " + credential.Printable(strings.Join(c.Scopes, " "), 400)
}

// notSignedIn says how else the person can sign in, where nobody is reached from here.
func (b toolCall) notSignedIn(err error) string {
	text := "The sign-in to " + b.Name + " was not completed"
	if !errors.Is(err, signin.ErrNobody) && !errors.Is(err, signin.ErrNoCode) {
		text += ": " + strings.TrimSuffix(err.Error(), ".")
	}
	if command := b.command(); command != "" {
		return text + ". Tell the person to run this in a terminal: " + command + " - once they have signed in there, the tools of " + b.Name + " appear here by themselves."
	}
	return text + "."
}

// command is what a person types to sign in; "" where the caller of the bridge knows none.
func (b toolCall) command() string {
	_, command, _ := strings.Cut(b.Hint(&credential.Error{Kind: credential.NoSignIn, Server: b.URL}), ": ")
	return command
}

// signedIn says that somebody is signed in, and what can be called now.
func (b toolCall) signedIn(ctx context.Context) string {
	_, _ = b.tokens.Token(ctx)
	until := time.Now().Add(toolReconnect)
	for {
		open, _, changed, err := b.connection.state()
		if open {
			break
		}
		if wait.For(ctx, changed, time.Until(until)) != nil {
			text := "Somebody is signed in to " + b.Name + ", but it cannot be used yet"
			if err != nil {
				text += ": " + strings.TrimSuffix(err.Error(), ".")
			}
			return text + ". Its tools appear as soon as it can."
		}
	}
	text := "Somebody is signed in to " + b.Name + "; all is well."
	if names := b.standIn.Tools(); len(names) > 0 {
		text += " Its tools are: " + credential.Printable(strings.Join(names, ", "), 2000) + "."
	}
	return text
}

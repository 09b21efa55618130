package core

import (
	"context"
	"errors"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/forward"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/browser"
)

// forwarded is the machine at the other end of a forward, as a helper.Forwarder.
type forwarded struct {
	client forward.Client
	query  credential.Query
}

// forward finds the forward for a question; live: there is a socket, whoever may listen there.
func (w sources) forward(q credential.Query) (helper.Forwarder, bool) {
	c := forward.Client{Sockets: forward.Find(osGetenv, w.dir.Path), Home: w.dir.Path, Now: time.Now, Trace: w.trace}
	return forwarded{c, q}, len(c.Sockets) > 0
}

// canAsk reports whether a person can be shown a browser: here, or at the other end of a forward.
func (w sources) canAsk(q credential.Query) bool {
	_, live := w.forward(q)
	return live || browser.Reachable(osGetenv)
}

// overForward is err where only a sign-in helps and that is asked for at the other end of a forward: there it has to be done.
func (w sources) overForward(server string, err error) error {
	var e *credential.Error
	if !errors.As(err, &e) || e.Kind != credential.NoSignIn {
		return err
	}
	_, live := w.forward(credential.Query{URL: server})
	if _, known := w.helper.Records.Server(server); !live || known == nil {
		return err
	}
	there := *e
	there.Forwarded = true
	return &there
}

// Principal is helper.Machine.
func (f forwarded) Principal() helper.Principal {
	return helper.Principal{
		Kind: helper.ForwardedKind, Account: f.query.Account, ClientID: f.query.ClientID, Resource: f.query.URL, Scopes: f.query.Scopes,
	}
}

// Token is helper.Machine.
func (f forwarded) Token(context.Context, credential.Target) (credential.Token, error) {
	return credential.Token{}, credential.Fail(credential.Internal, "a forward is asked the whole question", nil)
}

// Key is helper.Machine: there is no secret here that a data key could come from.
func (f forwarded) Key([]byte) (credential.Secret, error) { return credential.Secret{}, nil }

// hear is how much earlier than the caller the other end stops waiting, so that what it says is heard.
const hear = 500 * time.Millisecond

// Forward is helper.Forwarder.
func (f forwarded) Forward(ctx context.Context, a helper.Ask) (credential.Token, error) {
	left := credential.WaitDefault
	if end, ok := ctx.Deadline(); ok {
		left = min(time.Until(end), credential.RefreshTotal) // of which the other end waits for no more
	}
	return f.client.Ask(ctx, forward.Request{
		Server: f.query.URL, Account: f.query.Account, ClientID: f.query.ClientID, Scopes: f.query.Scopes, Need: a.Scopes, Claims: a.Claims,
		Force: a.Force, Refused: a.Refused.Fingerprint(), Prompt: a.Prompt, Wait: max(left-hear, left/2),
	})
}

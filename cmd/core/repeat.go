package core

import (
	"context"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
)

// checked is the answer for a host that can only ask again where its token was refused (see helper.Repeats). Where it has had
// it a moment ago, the server is asked whether it refuses it; one that does has it replaced as its challenge demands. A server
// that does not say leaves it as it is.
func checked(ctx context.Context, w *wiring, ask helper.Ask) (credential.Token, error) {
	again := helper.Repeats{Records: w.helper.Records, Now: w.helper.Now}
	last := again.Last(ask.Query)
	t, err := w.helper.Get(ctx, ask)
	if err != nil {
		return t, err
	}
	if !again.Again(last, t) {
		again.Served(ask.Query)
		return t, nil
	}
	path, err := w.helper.Records.LockPath(again.Name(ask.Query))
	if err != nil {
		return t, nil
	}
	wait, cancel := context.WithTimeout(ctx, ask.Wait)
	defer cancel()
	held, err := cache.Lock(wait, path)
	if err != nil {
		return t, nil
	}
	defer held.Release()
	if !again.Again(again.Last(ask.Query), t) { // another process has just asked
		return w.helper.Get(ctx, ask)
	}
	defer again.Checked(ask.Query) // before the lock is free
	f, err := sources{w}.finder(w.trace)
	if err != nil {
		return t, nil
	}
	challenge, refused, err := f.Refuses(ctx, t.Server, t)
	if err != nil {
		w.trace("the host asks again within " + credential.RepeatRest.String() + "; the server cannot be asked why: " + err.Error())
		return t, nil
	}
	if !refused {
		w.trace("the host asks again within " + credential.RepeatRest.String() + "; the server does not refuse the token")
		return t, nil
	}
	w.trace("the host asks again within " + credential.RepeatRest.String() + ", and the server refuses the token")
	ask.Force, ask.Refused = true, t.Access
	ask.Scopes, ask.Claims = credential.SplitScope(challenge.Scope), challenge.Claims
	return w.helper.Get(ctx, ask)
}

package core

import (
	"cmp"
	"context"
	"errors"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/helper"
)

type getCmd struct{ call.Flags }

// Run answers one get that the cache could not answer.
func (c getCmd) Run(ctx context.Context, s streams) error {
	r, err := call.Decode(c.Flags, s.program, osGetenv, s.in)
	if err == nil {
		err = c.answer(ctx, s, r)
	}
	if err == nil {
		return nil
	}
	l := c.asLogin()
	l.Home, l.Verb, l.NoBrowser = c.Home, "get", noBrowser()
	return exitCode(l.Refuse(s.out, s.err, r, err))
}

func (c getCmd) answer(ctx context.Context, s streams, r call.Request) error {
	if r.Output.Encode == nil {
		return credential.Fail(credential.Usage, "--output cannot be "+r.Output.Name, nil)
	}
	w, err := wire(common{Home: c.Home, Verbose: c.Verbose}, s)
	if err == nil && r.Resource != "" {
		r.Query.URL, err = helper.ServerOf(w.helper.Records, r.Resource)
	}
	if err != nil {
		return err
	}
	if w.broken != nil {
		return c.fromCache(w, r, s)
	}
	ask, err := c.ask(w, r)
	if err != nil {
		return err
	}
	w.asks = ask.Prompt
	get := w.helper.Get
	if r.Repeats() {
		get = func(ctx context.Context, ask helper.Ask) (credential.Token, error) { return checked(ctx, w, ask) }
	}
	t, err := get(ctx, ask)
	if err != nil {
		return err
	}
	if err := r.Output.Encode(s.out, r.Request, t); err != nil {
		return err
	}
	c.notify(w, r.Query, s)
	return nil
}

// asLogin is the sign-in that this call needs. The client of a machine identity is no person's.
func (c getCmd) asLogin() call.Login {
	if c.Identity != "" {
		return call.Login{}
	}
	return call.Login{ClientID: c.ClientID}
}

// fromCache serves what is cached while the configuration cannot be read: a misspelt line stops no agent that has a
// valid token. Nothing else is done, because the configuration may forbid it.
func (c getCmd) fromCache(w *wiring, r call.Request, s streams) error {
	hit, err := w.helper.Warm().Get(r.Query)
	switch {
	case err != nil && r.Input.Everywhere && !w.helper.Knows(r.Query):
		return credential.Fail(credential.NotFound, "nobody has signed in to "+r.Query.URL, nil)
	case err != nil:
		return w.broken
	}
	call.Say(s.err, "warning: "+w.broken.Error())
	return r.Output.Encode(s.out, r.Request, hit.Token)
}

// ask makes helper's question of the call.
func (c getCmd) ask(w *wiring, r call.Request) (helper.Ask, error) {
	a := helper.Ask{
		Query: r.Query, Quiet: r.Input.Everywhere, Wait: c.Wait,
		Prompt: w.prompt(c.Prompt, r.Query.URL), Terminal: w.terminal(),
	}
	a.Wait = cmp.Or(a.Wait, w.wait)
	if r.Query.Challenge == "" {
		return a, nil
	}
	ch, err := discovery.ParseChallenge([]string{r.Query.Challenge})
	if err != nil {
		return a, credential.Fail(credential.BadInput, "the challenge cannot be read", err)
	}
	a.Force = true
	a.Scopes, a.Claims = credential.SplitScope(ch.Scope), ch.Claims
	return a, nil
}

// notify says once that the sign-in was refreshed, to those who asked for it.
func (c getCmd) notify(w *wiring, q credential.Query, s streams) {
	if !c.Notify && !w.config.Notify {
		return
	}
	if text := w.helper.Notice(q); text != "" {
		call.Say(s.err, text)
	}
}

// silent reports whether err is the daily question of git and its like about a host that is not ours.
func silent(err error) bool {
	var e *credential.Error
	return errors.As(err, &e) && e.Kind == credential.NotFound
}

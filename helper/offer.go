package helper

import (
	"context"
	"errors"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
	"github.com/mcp-credential/mcp-credential/state"
)

// offers asks a person to sign in, once for all processes.
type offers struct{ *Helper }

// offer deals with a question that only a person can answer, after the prompt policy: never, or one sign-in per sign-in
// and cooldown across all processes. On a terminal it happens here and now; elsewhere in a detached process, for which
// the first caller waits as long as it can. cause is what everybody else gets, but for those who join: they wait for an
// offer that is open, and make one themselves when it was lost with its process.
func (h offers) offer(ctx context.Context, s resolved, a Ask, cause error) (credential.Token, error) {
	if !a.Prompt {
		return credential.Token{}, cause
	}
	if !h.Reachable() {
		h.Trace("prompt: nobody can be shown a browser from here")
		return credential.Token{}, cause
	}
	b := limitOf(h.Helper, a.Query)
	for {
		held, how, err := b.claim(ctx, a)
		switch {
		case err != nil:
			return credential.Token{}, unwritable(h.Records, err)
		case how == available:
			return h.makeOffer(ctx, s, a, held, cause)
		case how == paused:
			return credential.Token{}, offeredBefore(cause, a.Query.URL)
		case !a.Join:
			return credential.Token{}, fail(credential.Prompting, a.Query.URL, "a sign-in for "+a.Query.URL+" is open in the browser already")
		}
		h.Trace("prompt: waiting for the sign-in that another process offers")
		if t, err := h.awaitSignIn(ctx, a, s, state.Notices{Records: h.Records}.Failure); !errors.Is(err, errLost) {
			return t, err
		}
	}
}

// offeredBefore is cause, for which nobody is asked once more: the last offer came to nothing.
func offeredBefore(cause error, server string) error {
	e := fail(credential.KindOf(cause), server, "")
	if typed := (*credential.Error)(nil); errors.As(cause, &typed) {
		*e = *typed
	}
	e.Server, e.Text, e.Err = server, "a sign-in for "+server+" was offered less than "+credential.PromptRest.String()+" ago", nil
	return e
}

// makeOffer makes the offer that was claimed, unless a person has just signed in after all.
func (h offers) makeOffer(ctx context.Context, s resolved, a Ask, held *cache.Held, cause error) (credential.Token, error) {
	b := limitOf(h.Helper, a.Query)
	if t, ok := h.signedIn(ctx, a, s); ok {
		b.withdraw(held)
		return t, nil
	}
	extra := credential.JoinScopes(a.Query.Scopes, a.Scopes)
	if held != nil {
		defer held.Release()
		return h.offerHere(ctx, a, extra)
	}
	h.Trace("prompt: offering one sign-in in a process of its own")
	if err := h.Launch(commandLine(OfferCommand, credential.Query{URL: a.Query.URL, Account: a.Query.Account, ClientID: a.Query.ClientID, Scopes: extra})...); err != nil {
		b.withdraw(nil)
		return credential.Token{}, credential.Fail(credential.Internal, "cannot start the sign-in process", err)
	}
	t, err := h.awaitSignIn(ctx, a, s, state.Notices{Records: h.Records}.TakeFailure)
	if errors.Is(err, errLost) {
		err = cause
	}
	return t, err
}

// Offer is a sign-in that a get has claimed the right to and launched this process for. When the person is done, or was
// never asked because it failed before, the right is withdrawn. How it failed is left for the process that waits.
func (h *Helper) Offer(ctx context.Context, l Login) error {
	held, err := limitOf(h, credential.Query{URL: l.URL, Account: l.Account}).begin(ctx)
	if err != nil {
		return err
	}
	defer held.Release()
	return offers{h}.ask(ctx, l, false)
}

// ask asks the person. The caller holds the lock of the offer limit. A fleeting offer that ends because its process does
// leaves nothing behind, as if it had been killed.
func (h offers) ask(ctx context.Context, l Login, fleeting bool) error {
	b := limitOf(h.Helper, credential.Query{URL: l.URL, Account: l.Account})
	who, began := h.Person(), h.Now()
	l.offered = true
	_, err := h.Login(ctx, l, who)
	if fleeting && errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	if err != nil {
		_ = state.Notices{Records: h.Records}.PutFailure(b.name, *newFailure(h.Now(), err))
	}
	switch {
	case err == nil || !who.Asked():
		state.Cooldowns{Records: h.Records}.End(b.name)
	case fleeting:
		_, _ = state.Cooldowns{Records: h.Records}.Start(b.name, began, credential.PromptRest)
	}
	return err
}

// offerHere signs in within this process, whose terminal the person looks at, or whose host; --wait does not bind a
// person.
func (h offers) offerHere(ctx context.Context, a Ask, extra []string) (credential.Token, error) {
	err := h.ask(ctx, Login{URL: a.Query.URL, Account: a.Query.Account, ClientID: a.Query.ClientID, Scopes: extra}, a.Fleeting)
	if err != nil {
		return credential.Token{}, err
	}
	s, err := h.resolve(a.Query)
	if err != nil {
		return credential.Token{}, err
	}
	return tokens(h).read(ctx, s)
}

// errLost says that an offer is open no more and has left neither a token nor a failure.
var errLost = errors.New("the process that offered the sign-in has ended without a result")

// awaitSignIn waits for the token that the sign-in of another process leaves. failure reads how that has failed.
func (h offers) awaitSignIn(ctx context.Context, a Ask, old resolved, failure func(name string) (state.Failure, bool)) (credential.Token, error) {
	ctx, cancel := context.WithDeadline(ctx, a.until)
	defer cancel()
	b := limitOf(h.Helper, a.Query)
	for pause := pollFirst; ; pause = min(pause*5/4, pollMost) {
		busy := b.busy(ctx) // before the look at what it has left
		if t, ok := h.signedIn(ctx, a, old); ok {
			return t, nil
		}
		if f, ok := failure(b.name); ok {
			e := f.Err()
			e.Server = a.Query.URL
			return credential.Token{}, e
		}
		if !busy {
			return credential.Token{}, errLost
		}
		if wait.Sleep(ctx, pause) != nil {
			return credential.Token{}, fail(credential.Prompting, a.Query.URL, "a sign-in for "+a.Query.URL+" is open in the browser and was not finished in "+a.Wait.String())
		}
	}
}

// signedIn looks for the token of a sign-in that is newer than old. The sign-in's record comes before the approval of its
// scopes, and that before the token: until both are new, the old answer is still the one that is found.
func (h offers) signedIn(ctx context.Context, a Ask, old resolved) (credential.Token, bool) {
	s, err := h.resolve(a.Query)
	if err != nil || !s.signIn.Created.After(old.signIn.Created) || !s.server.ApprovedAt.After(old.server.ApprovedAt) {
		return credential.Token{}, false
	}
	t, err := tokens(h).read(ctx, s)
	if err != nil || !a.serves(t, h.Now()) {
		return credential.Token{}, false
	}
	tokens(h).pointTo(a.Query, s)
	return t, true
}

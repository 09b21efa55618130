package helper

import (
	"context"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
)

// offer deals with a question that only a person can answer, after the prompt policy: never, or one sign-in per sign-in
// and cooldown across all processes. On a terminal it happens here and now; elsewhere in a detached process, for which
// the first caller waits as long as it can. cause is what everybody else gets.
func (h *Helper) offer(ctx context.Context, s subject, a Ask, cause error) (credential.Token, error) {
	if !a.Prompt {
		return credential.Token{}, cause
	}
	if !h.Reachable() {
		h.Trace("prompt: nobody can be shown a browser from here")
		return credential.Token{}, cause
	}
	mine, err := h.claimPrompt(a.Query)
	if err != nil {
		return credential.Token{}, h.unwritable(err)
	}
	if !mine {
		return credential.Token{}, h.fail(credential.Prompting, a.Query.URL, "a sign-in for "+a.Query.URL+" was offered less than "+credential.PromptRest.String()+" ago")
	}
	extra := credential.JoinScopes(a.Query.Scopes, a.Scopes)
	if a.Terminal {
		return h.offerHere(ctx, a, extra)
	}
	h.Trace("prompt: offering one sign-in in a process of its own")
	if err := h.Launch(offerArgs(a.Query, extra)...); err != nil {
		return credential.Token{}, credential.Fail(credential.Internal, "cannot start the sign-in process", err)
	}
	return h.awaitSignIn(ctx, a, s)
}

func offerArgs(q credential.Query, scopes []string) []string {
	args := []string{OfferCommand, q.URL}
	if q.Account != "" {
		args = append(args, "--account="+q.Account)
	}
	if q.ClientID != "" {
		args = append(args, "--client-id="+q.ClientID)
	}
	for _, s := range scopes {
		args = append(args, "--scope="+s)
	}
	return args
}

// claimPrompt takes the right to ask a person about this server and account, once per cooldown.
func (h *Helper) claimPrompt(q credential.Query) (bool, error) {
	name := promptName(q)
	path, err := h.Book.LockPath(name)
	if err != nil {
		return false, err
	}
	held, ok, err := cache.TryLock(path)
	if err != nil || !ok {
		return false, err
	}
	defer held.Release()
	h.Book.TakeFailure(name) // of an earlier offer that nobody waited for
	return h.Book.Mark(name, h.Now(), credential.PromptRest)
}

// promptName names the budget that a question draws on. Scopes do not matter: a server that asks for ever more of them
// opens no more tabs.
func promptName(q credential.Query) string {
	return "prompt-" + credential.SignInID("", "", q.Account, q.URL)
}

// Offer is a sign-in that a get has claimed the right to. When the person is done, or was never asked because it
// failed before, the right is given back. How it failed is left for the process that waits.
func (h *Helper) Offer(ctx context.Context, l Login) error {
	name := promptName(credential.Query{URL: l.URL, Account: l.Account})
	who := h.Person()
	l.offered = true
	_, err := h.Login(ctx, l, who)
	if err != nil {
		_ = h.Book.PutFailure(name, *h.failure(err))
	}
	if err == nil || !who.Asked() {
		h.Book.Unmark(name)
	}
	return err
}

// offerHere signs in within this process, whose terminal the person looks at; --wait does not bind a person.
func (h *Helper) offerHere(ctx context.Context, a Ask, extra []string) (credential.Token, error) {
	err := h.Offer(ctx, Login{URL: a.Query.URL, Account: a.Query.Account, ClientID: a.Query.ClientID, Scopes: extra})
	if err != nil {
		return credential.Token{}, err
	}
	s, err := h.resolve(a.Query)
	if err != nil {
		return credential.Token{}, err
	}
	return h.read(ctx, s)
}

// awaitSignIn waits for the token that the detached sign-in leaves. The sign-in's record comes before the approval of its
// scopes, and that before the token: until both are new, the old answer is still the one that is found.
func (h *Helper) awaitSignIn(ctx context.Context, a Ask, old subject) (credential.Token, error) {
	ctx, cancel := context.WithDeadline(ctx, a.until)
	defer cancel()
	for pause := pollFirst; ; pause = min(pause*5/4, pollMost) {
		s, err := h.resolve(a.Query)
		if err == nil && s.signIn.Created.After(old.signIn.Created) && s.server.ApprovedAt.After(old.server.ApprovedAt) {
			if t, err := h.read(ctx, s); err == nil && a.serves(t, h.Now()) {
				h.point(a.Query, s)
				return t, nil
			}
		}
		if f, ok := h.Book.TakeFailure(promptName(a.Query)); ok {
			e := f.Err()
			e.Server = a.Query.URL
			return credential.Token{}, e
		}
		if rest(ctx, pause) != nil {
			return credential.Token{}, h.fail(credential.Prompting, a.Query.URL, "a sign-in for "+a.Query.URL+" is open in the browser and was not finished in "+a.Wait.String())
		}
	}
}

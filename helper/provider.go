package helper

import (
	"context"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// This file is about servers that a company manages: one sign-in at its identity provider serves all that the configuration
// names it for. The provider's ID token is kept as an access token is elsewhere, and refreshed like one; it is never handed out.

// Providers are the identity providers that somebody has signed in at.
type Providers struct{ *Helper }

// Vouched is a provider's word for a person.
type Vouched struct {
	IDToken   credential.Secret
	ClientID  string // whom it is for
	Endpoints credential.Endpoints
}

// Vouch returns what the sign-in at an identity provider says of its person, refreshed where it must be. It asks nobody.
func (h Providers) Vouch(ctx context.Context, provider string) (Vouched, error) {
	q := credential.Query{URL: provider}
	t, err := h.get(ctx, Ask{Query: q, Wait: credential.RefreshTotal, until: time.Now().Add(credential.RefreshTotal), vouches: true})
	if err != nil {
		return Vouched{}, about(provider, err)
	}
	s, err := h.resolve(q)
	return Vouched{IDToken: t.Access, ClientID: s.signIn.ClientID, Endpoints: s.signIn.Endpoints}, err
}

// answer is get, and the offer of a sign-in at the identity provider where only that helps.
func (h machines) answer(ctx context.Context, a Ask, m Machine) (credential.Token, error) {
	if f, ok := m.(Forwarder); ok {
		return h.forwarded(ctx, a, f)
	}
	t, err := h.get(ctx, a, m)
	provider := m.Principal().Provider
	if provider == "" || !needsSignIn(err) {
		return t, err
	}
	ask := Ask{
		Query: credential.Query{URL: provider}, Prompt: a.Prompt, Terminal: a.Terminal, Fleeting: a.Fleeting, Again: a.Again, Join: a.Join,
		Wait: a.Wait, until: a.until, vouches: true,
	}
	s, _ := h.resolve(ask.Query) // what is not there yet is what the offer brings
	if _, err := offers(h).offer(ctx, s, ask, err); err != nil {
		return credential.Token{}, err
	}
	return h.get(ctx, a, m)
}

// atProvider signs in to a server by signing in at its identity provider, and proves that this serves the server.
func (h logins) atProvider(ctx context.Context, l Login, provider string, who Person) (Outcome, error) {
	out, err := h.Login(ctx, Login{URL: provider, Anew: l.Anew, offered: l.offered}, who)
	if err != nil {
		return out, err
	}
	t, err := h.Get(ctx, Ask{Query: credential.Query{URL: l.URL}, Wait: credential.RefreshTotal})
	out.Server, out.Token = l.URL, t
	return out, err
}

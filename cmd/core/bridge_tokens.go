package core

import (
	"context"
	"errors"
	"sync"

	"github.com/mcp-credential/mcp-credential/bridge/signin"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/browser"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
	"github.com/mcp-credential/mcp-credential/source"
)

// bridgeTokens answers a bridge as get answers other callers: from the same cache, by the same refresh under the same
// lock in a process of its own, which outlives the bridge. It asks nobody; only that process may, ahead of the end of a
// sign-in, while its token still serves.
type bridgeTokens struct {
	warm  helper.Warm // needs no lock: nothing in it depends on what the configuration says
	mu    sync.Mutex  // a wiring serves one goroutine at a time
	w     *wiring
	query credential.Query
}

func newBridgeTokens(w *wiring, q credential.Query) *bridgeTokens {
	w.helper.Reachable = func() bool { return false }
	return &bridgeTokens{warm: warm(w.helper, w.present), w: w, query: q}
}

// Token is token.Source.
func (b *bridgeTokens) Token(ctx context.Context, n token.Need) (credential.Token, error) {
	if n == (token.Need{}) { // as the front does it: a warm token takes no more than that
		if t, err := b.warm.Fresh(b.query); err == nil {
			return t, nil
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.w.reload(); err != nil {
		return b.fromCache(n)
	}
	renews := b.w.prompt("", b.query.URL) // a refresh ahead of time may offer a sign-in
	t, err := answerNeed(ctx, b.w, n, helper.Ask{Query: b.query, Wait: credential.RefreshTotal, Prompt: renews})
	if err == nil && t.Due(b.w.helper.Now()) {
		err = b.w.helper.Ending(b.query)
	}
	return t, err
}

// fromCache serves what is cached while the configuration cannot be read, as get does.
func (b *bridgeTokens) fromCache(n token.Need) (credential.Token, error) {
	hit, err := warm(b.w.helper, nil).Get(b.query)
	if err != nil || !n.Refused.IsZero() && hit.Token.Access.Equal(n.Refused) {
		return credential.Token{}, b.w.broken
	}
	return hit.Token, nil
}

// warm looks into the cache that h uses. With config the answer must have been resolved from the configuration as it is.
func warm(h *helper.Helper, config func() (size, mtime int64)) helper.Warm {
	return helper.Warm{Cache: h.Cache, Book: h.Book, Config: config, Now: h.Now, Trace: h.Trace}
}

// answerNeed asks helper for a token other than the refused one, with what the challenge asks for.
func answerNeed(ctx context.Context, w *wiring, n token.Need, a helper.Ask) (credential.Token, error) {
	a.Force, a.Refused = !n.Refused.IsZero(), n.Refused
	a.Scopes, a.Claims = scopes(n.Challenge.Scope), n.Challenge.Claims
	return w.helper.Get(ctx, a)
}

// bridgePerson signs somebody in for a bridge.
type bridgePerson struct {
	w     *wiring
	query credential.Query
}

// Reachable is signin.Interactive.
func (b *bridgePerson) Reachable() bool { return browser.Reachable(osGetenv) }

// SignIn is signin.Interactive. In the browser it happens in a process of its own, so that a host which loses its patience
// and ends the bridge does not end the sign-in; an address that the host shows comes from this process.
func (b *bridgePerson) SignIn(ctx context.Context, n token.Need, show signin.Show) error {
	if err := b.w.reload(); err != nil {
		return err
	}
	ask := helper.Ask{Query: b.query, Prompt: b.w.prompt("", b.query.URL), Join: true, Wait: credential.SignInTotal}
	if show != nil {
		err := b.hosted(ctx, n, ask, show)
		if !errors.Is(err, signin.ErrNotShown) || !b.Reachable() {
			return err
		}
	}
	_, err := answerNeed(ctx, b.w, n, ask)
	return err
}

// hosted signs in by an address that the host shows.
func (b *bridgePerson) hosted(ctx context.Context, n token.Need, ask helper.Ask, show signin.Show) error {
	h := b.w.helper
	person, reachable := h.Person, h.Reachable
	defer func() { h.Person, h.Reachable = person, reachable }()
	h.Person = func() helper.Person { return &shown{person: b.w.person(source.Browser, true), show: show} }
	h.Reachable = func() bool { return true }
	ask.Terminal, ask.Fleeting = true, true
	_, err := answerNeed(ctx, b.w, n, ask)
	return err
}

// shown is a person whom the host shows addresses to.
type shown struct {
	*person
	show signin.Show
}

// Say is helper.Person: the page of ours says it.
func (s *shown) Say(q helper.Proposal) error {
	s.proposal = q
	return nil
}

// SignIn is helper.Person.
func (s *shown) SignIn(ctx context.Context, name string, _ helper.Proposal, t credential.Target) (credential.Answer, error) {
	src, err := s.w.source(name)
	if err != nil {
		return credential.Answer{}, err
	}
	return src.Interactive(ctx, t, s)
}

// OpenURL is source.UI: through a page of ours first where nobody has approved this server yet.
func (s *shown) OpenURL(ctx context.Context, url string) error {
	open := func(url string) error {
		err := s.show(ctx, url)
		s.asked = s.asked || !errors.Is(err, signin.ErrNotShown)
		return err
	}
	if s.proposal.Approved {
		return open(url)
	}
	q := loopback.Question{Server: s.proposal.Server, Issuer: s.proposal.Issuer, Scopes: s.proposal.Scopes, Account: s.proposal.Account}
	return loopback.Confirm(ctx, q, url, open)
}

// overlay lays the flags of the bridge over what the configuration says of its server, here and in the process that
// signs a person in.
func (c bridgeCmd) overlay(w *wiring, server string) {
	settings, launch := w.helper.Settings, w.helper.Launch
	w.helper.Settings = func(url string) helper.Settings {
		s := settings(url)
		if url != server {
			return s
		}
		if c.Name != "" {
			s.Name = c.Name
		}
		if c.ClientSecretFile != "" {
			s.ClientSecret = c.ClientSecretFile
		}
		return s
	}
	w.helper.Launch = func(args ...string) error {
		if args[0] == helper.OfferCommand && c.Name != "" {
			args = append(args, "--name="+c.Name)
		}
		if args[0] == helper.OfferCommand && c.ClientSecretFile != "" {
			args = append(args, "--client-secret-file="+c.ClientSecretFile)
		}
		return launch(args...)
	}
}

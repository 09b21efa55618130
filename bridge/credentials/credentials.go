// Package credentials answers a bridge as get and login answer other callers: from the same cache, by the same refresh
// under the same lock, in a process of its own that outlives the bridge. How the helper is configured, and what a person
// sees, is left to its caller.
package credentials

import (
	"context"
	"errors"
	"sync"

	"github.com/mcp-credential/mcp-credential/bridge/signin"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/helper"
)

// Account is what a bridge asks the helper for. One goroutine at a time uses its functions and its helper.
type Account struct {
	Helper *helper.Helper
	Query  credential.Query
	Reload func() error // reads the configuration again where it has changed; the error says why it cannot be used
	Prompt func() bool  // whether the configuration lets a person be asked
}

// ask asks for a token other than the refused one, with what the challenge demands.
func (a Account) ask(ctx context.Context, n token.Need, ask helper.Ask) (credential.Token, error) {
	ask.Query, ask.Force, ask.Refused = a.Query, !n.Refused.IsZero(), n.Refused
	ask.Proves, ask.Bound = true, n.Challenge.Scheme == discovery.SchemeDPoP
	ask.Scopes, ask.Claims = credential.SplitScope(n.Challenge.Scope), n.Challenge.Claims
	return a.Helper.Get(ctx, ask)
}

// Tokens is a token.Source. It asks nobody; only the process that refreshes may, ahead of the end of a sign-in, while its
// token still serves.
type Tokens struct {
	warm helper.Warm // needs no lock: nothing in it depends on what the configuration says
	mu   sync.Mutex
	Account
}

// NewTokens returns a Source of an account's tokens. config is the state of the configuration file; any goroutine calls it.
func NewTokens(a Account, config func() (size, mtime int64)) *Tokens {
	a.Helper.Reachable, a.Helper.Silent = func() bool { return false }, true
	warm := a.Helper.Warm()
	warm.Config = config
	return &Tokens{warm: warm, Account: a}
}

// Token is token.Source.
func (t *Tokens) Token(ctx context.Context, n token.Need) (credential.Token, error) {
	if n == (token.Need{}) { // as the front does it: a warm token takes no more than that
		if held, err := t.warm.Fresh(t.Query); err == nil {
			return held, nil
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.Reload(); err != nil {
		return t.fromCache(n, err)
	}
	held, err := t.ask(ctx, n, helper.Ask{Wait: credential.RefreshTotal, Prompt: t.Prompt()}) // a refresh ahead of time may offer a sign-in
	if err == nil && held.Due(t.Helper.Now()) {
		err = t.Helper.Ending(t.Query)
	}
	return held, err
}

// fromCache serves what is cached while the configuration cannot be read, as get does.
func (t *Tokens) fromCache(n token.Need, broken error) (credential.Token, error) {
	hit, err := t.Helper.Warm().Get(t.Query)
	if err != nil || !n.Refused.IsZero() && hit.Token.Access.Equal(n.Refused) {
		return credential.Token{}, broken
	}
	return hit.Token, nil
}

// Lazy makes an Account when it is first needed, which most bridges never do, and keeps its configuration up to date.
type Lazy struct {
	Open func() (Account, error)

	mu      sync.Mutex
	account *Account
}

// use calls do with the account, one goroutine at a time.
func (l *Lazy) use(do func(Account) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.account == nil {
		a, err := l.Open()
		if err != nil {
			return err
		}
		l.account = &a
	}
	if err := l.account.Reload(); err != nil {
		return err
	}
	return do(*l.account)
}

// SignIns is a signin.Interactive, with an account of its own: a sign-in takes minutes, in which tokens are asked for.
type SignIns struct {
	Lazy
	BrowserSeen func() bool                      // whether a browser that opens on this machine is seen by somebody
	Person      func(w signin.Way) helper.Person // who is reached that way, and not by a browser of this machine
}

// Reachable is signin.Interactive.
func (s *SignIns) Reachable() bool { return s.BrowserSeen() }

// SignIn is signin.Interactive. In the browser it happens in a process of its own, so that a host which loses its patience
// and ends the bridge does not end the sign-in; what is shown any other way comes from this process.
func (s *SignIns) SignIn(ctx context.Context, n token.Need, w signin.Way) error {
	return s.use(func(a Account) error {
		ask := helper.Ask{Prompt: a.Prompt(), Join: true, Again: w.Again, Wait: credential.SignInTotal}
		if w.Show != nil || w.Code != nil {
			err := s.here(ctx, a, n, ask, w)
			if !errors.Is(err, signin.ErrNotShown) || !s.Reachable() {
				return err
			}
		}
		_, err := a.ask(ctx, n, ask)
		return err
	})
}

// here signs in from this process.
func (s *SignIns) here(ctx context.Context, a Account, n token.Need, ask helper.Ask, w signin.Way) error {
	h := a.Helper
	person, reachable := h.Person, h.Reachable
	defer func() { h.Person, h.Reachable = person, reachable }()
	h.Person = func() helper.Person { return s.Person(w) }
	h.Reachable = func() bool { return true }
	ask.Terminal, ask.Fleeting = true, true
	_, err := a.ask(ctx, n, ask)
	return err
}

// Memory is a bridge.Memory, sealed under the data key of the sign-in. It has an account of its own: a keychain that it waits
// for must hold up nobody who asks for a token.
type Memory struct{ Lazy }

// Recall is bridge.Memory.
func (m *Memory) Recall(ctx context.Context) (kept []byte, err error) {
	err = m.use(func(a Account) error {
		kept, err = helper.Memories{Helper: a.Helper}.Recall(ctx, a.Query)
		return err
	})
	return kept, err
}

// Remember is bridge.Memory.
func (m *Memory) Remember(ctx context.Context, update func(old []byte) []byte) error {
	return m.use(func(a Account) error { return helper.Memories{Helper: a.Helper}.Remember(ctx, a.Query, update) })
}

package token

import (
	"context"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
)

func failure(kind credential.Kind) error {
	return &credential.Error{Kind: kind, Text: "as the test wishes"}
}

// A person is needed for what there is no token for and only a sign-in brings; not for one scope more, nor while the network
// is away, nor for a server that is not known to need a token.
func TestLost(t *testing.T) {
	now := time.Now()
	valid := credential.Token{Access: credential.NewSecret("valid"), Expiry: now.Add(time.Hour)}
	expired := credential.Token{Access: credential.NewSecret("expired"), Expiry: now.Add(-time.Hour)}
	none := credential.Token{}
	refused := Need{Refused: valid.Access, Challenge: discovery.Challenge{Scheme: "bearer"}}
	asked := Need{Challenge: discovery.Challenge{Scheme: "bearer"}}
	for _, c := range []struct {
		what            string
		need            Need
		before, current credential.Token
		kind            credential.Kind
		want            bool
	}{
		{"an open server", Need{}, none, none, credential.NotFound, false},
		{"a server that asks for a token", asked, none, none, credential.NotFound, true},
		{"a logout elsewhere", Need{}, valid, none, credential.NotFound, true},
		{"a dead sign-in whose token has expired", Need{}, expired, expired, credential.SignInDead, true},
		{"a dead sign-in whose token serves", Need{}, valid, valid, credential.SignInDead, false},
		{"a dead sign-in whose token was refused", refused, valid, valid, credential.SignInDead, true},
		{"another token was refused, which was replaced meanwhile", refused, valid, credential.Token{Access: credential.NewSecret("newer"), Expiry: now.Add(time.Hour)}, credential.SignInDead, false},
		{"one scope more", refused, valid, valid, credential.StepUp, false},
		{"no network", refused, expired, expired, credential.Network, false},
		{"a locked keychain", Need{}, expired, expired, credential.KeychainLocked, false},
	} {
		if got := lost(c.need, c.before, c.current, failure(c.kind), now); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	if lost(asked, none, valid, nil, now) {
		t.Error("a token has come, and a person is needed")
	}
}

// steps is a Source that answers with one after the other.
type steps []func() (credential.Token, error)

func (s *steps) Token(context.Context, Need) (credential.Token, error) {
	next := (*s)[0]
	if len(*s) > 1 {
		*s = (*s)[1:]
	}
	return next()
}

// Who wants to know hears of each change, once.
func TestPersonNeeded(t *testing.T) {
	gone := func() (credential.Token, error) { return credential.Token{}, failure(credential.NotFound) }
	source := &steps{gone, gone, func() (credential.Token, error) {
		return credential.Token{Access: credential.NewSecret("t"), Expiry: time.Now().Add(time.Hour)}, nil
	}}
	told := make(chan struct{}, 10)
	c := NewCache(t.Context(), Config{Source: source, Now: time.Now, Arrived: func(bool) {}, Last: func(credential.Token) {}, Needed: func() { told <- struct{}{} }})
	asked := Need{Challenge: discovery.Challenge{Scheme: "bearer"}}
	for range 2 {
		_, err := c.Get(t.Context(), asked)
		if n, needed := c.PersonNeeded(); !NeedsSignIn(err) || !needed || n != asked {
			t.Fatalf("%v, needed: %v for %v", err, needed, n)
		}
	}
	<-told
	got, err := c.Ask(t.Context(), Need{})
	if _, needed := c.PersonNeeded(); err != nil || got.Access.IsZero() || needed {
		t.Fatalf("%v, needed: %v", err, needed)
	}
	<-told
	select {
	case <-told:
		t.Error("told of no change")
	default:
	}
}

package token

import (
	"context"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Get is Token for the zero Need, else Replace.
func (c *Cache) Get(ctx context.Context, n Need) (credential.Token, error) {
	if n == (Need{}) {
		return c.Token(ctx)
	}
	return c.Replace(ctx, n)
}

// PersonNeeded reports whether there is no token to use and only a person can bring one, and for what.
func (c *Cache) PersonNeeded() (Need, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.needed == nil {
		return Need{}, false
	}
	return *c.needed, true
}

// lost reports whether err, the answer to a question for n, says that only a person can bring a token in place of current.
// That a server is not known to need one says so only of a server that has refused one, or where there was one before.
func lost(n Need, before, current credential.Token, err error, now time.Time) bool {
	kind, plain := credential.KindOf(err), n == (Need{})
	switch {
	case !NeedsSignIn(err), kind == credential.StepUp:
		return false
	case plain && kind == credential.NotFound:
		return !before.Access.IsZero()
	}
	return !current.Valid(now) || !plain && n.Refused.Equal(current.Access)
}

// signedOut reports whether an error says that there is no right to the present token any more. Others leave it in use: an
// authorization server that cannot be reached, or a sign-in that has ended, says nothing about the tokens it has given.
func signedOut(kind credential.Kind) bool {
	return kind == credential.NotFound || kind == credential.NoSignIn || kind == credential.NotApproved
}

// NeedsSignIn reports whether a sign-in cures err.
func NeedsSignIn(err error) bool {
	if err == nil {
		return false
	}
	switch credential.KindOf(err) {
	case credential.NotFound, credential.NoSignIn, credential.NotApproved, credential.SignInDead, credential.StepUp, credential.Prompting:
		return true
	}
	return false
}

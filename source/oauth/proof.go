package oauth

import (
	"context"
	"net/url"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
)

// This file is about tokens that are bound to a key of the sign-in (RFC 9449).

// newKey makes the key of a sign-in whose tokens are to be bound to one.
func newKey(t credential.Target) (credential.Secret, error) {
	if !t.Bound {
		return credential.Secret{}, nil
	}
	return dpop.NewKey()
}

// ask is post, and post once more where the server wants a nonce of its own in the proof of the key: it has looked at nothing
// else (RFC 9449 section 8).
func ask(ctx context.Context, s *Source, endpoint string, c client, form url.Values) (reply, error) {
	r, err := s.post(ctx, endpoint, c, form)
	if err != nil || !r.wantsNonce(c) {
		return r, err
	}
	s.Trace("the authorization server wants its nonce in the proof of the key")
	return s.post(ctx, endpoint, c, form)
}

// wantsNonce reports whether the proof of c's key lacks nothing but the nonce that came with the answer.
func (r reply) wantsNonce(c client) bool {
	return !c.proof.IsZero() && r.nonce != "" && r.status/100 == 4 && r.text("error") == dpop.ErrNonce
}

// proofCodes are the codes by which servers refuse a missing or bad proof of a key (RFC 9449 sections 5 and 8).
var proofCodes = map[string]bool{dpop.ErrProof: true, dpop.ErrNonce: true}

package helper

import (
	"slices"

	"github.com/mcp-credential/mcp-credential/credential"
)

// unfit says why a sign-in does not answer a question: it is an identity provider's, its tokens are for nobody who cannot prove
// their key, or it has no key where the server wants one, which another sign-in cures.
func (a Ask) unfit(s resolved) error {
	server := s.server.URL
	switch {
	case s.signIn.IDToken && !a.vouches:
		return fail(credential.Misconfigured, server, server+" is an identity provider; ask for a token of a server that config.toml names it for")
	case s.signIn.Proof && !a.Proves:
		return credential.OnlyBridge(server)
	case a.Bound && !s.signIn.Proof && slices.Contains(s.signIn.Endpoints.Proofs, credential.ProofAlgorithm):
		return fail(credential.SignInDead, server, server+" takes only tokens that are bound to a key (DPoP), and the sign-in has no key")
	}
	return nil
}

package oauth

import (
	"context"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// jwtBearer is the grant type of RFC 7523 section 2.1.
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// Federated gets tokens for a workload for which another issuer vouches: its token is the authorization grant (RFC 7523
// section 2.1; MCP's SEP-1933). The authorization server is one that a person has written down, for whoever has the
// assertion can use it there.
type Federated struct {
	*Source
	Kind      string
	Issuer    string
	ClientID  string                                               // empty: the assertion says enough
	Assertion func(ctx context.Context) (credential.Secret, error) // made or read anew for each request
}

// Token makes one token request, after the assertion was fetched. What the server refuses is not tried again in another way.
func (f Federated) Token(ctx context.Context, t credential.Target) (credential.Token, error) {
	assertion, err := f.Assertion(ctx)
	if err != nil {
		return credential.Token{}, err
	}
	if t.Endpoints.Token == "" {
		return credential.Token{}, credential.Fail(credential.Misconfigured, "the token endpoint is missing", nil)
	}
	form := newForm(jwtBearer, t)
	form.Set("assertion", assertion.Reveal())
	set(form, "scope", strings.Join(t.Scopes, " "))
	c := client{id: f.ClientID, method: authNone}
	r, err := f.send(ctx, t.Endpoints.Token, c, form)
	if err != nil {
		return credential.Token{}, err
	}
	a, err := f.accept(r, t, c, credential.Grant{})
	return a.Token, machineRefusal(err)
}

// Key returns the zero Secret: a workload holds nothing that stays.
func (Federated) Key([]byte) (credential.Secret, error) { return credential.Secret{}, nil }

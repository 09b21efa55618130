package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Token exchange (RFC 8693 section 2) of an ID token for an identity assertion authorization grant
// (draft-ietf-oauth-identity-assertion-authz-grant, which MCP's extension Enterprise-Managed Authorization profiles).
const (
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeIDToken   = "urn:ietf:params:oauth:token-type:id_token"
	typeIDJAG     = "urn:ietf:params:oauth:token-type:id-jag"
)

// Managed gets tokens for a person for whom the company's identity provider vouches. Both authorization servers are ones that a
// person has written down.
type Managed struct {
	*Source
	Issuer     string // of the server's authorization server
	ClientID   string // there
	SecretFile string
	KeyFile    credential.ClientKey
	AuthMethod string // as credential.Target has it

	// Provider returns the ID token, and the provider as a target: its endpoints and the client that the ID token is for.
	Provider func(ctx context.Context) (credential.Secret, credential.Target, error)
}

// Token makes one request to each of the two. Errors are those of source.Source; NoSignIn where the provider does not vouch for
// the person any more.
func (m Managed) Token(ctx context.Context, t credential.Target) (credential.Token, error) {
	secret, err := Machine{SecretFile: m.SecretFile}.secret()
	if err != nil {
		return credential.Token{}, err
	}
	t.Key = m.KeyFile
	c, err := newClient(t, m.ClientID, secret, m.AuthMethod)
	if err != nil {
		return credential.Token{}, err
	}
	grant, err := m.grant(ctx, t)
	if err != nil {
		return credential.Token{}, err
	}
	form := newForm(jwtBearer, t)
	form.Set("assertion", grant.Reveal())
	set(form, "scope", strings.Join(t.Scopes, " "))
	r, err := m.send(ctx, t.Endpoints.Token, c, form)
	if err != nil {
		return credential.Token{}, err
	}
	a, err := m.accept(r, t, c, credential.Grant{})
	return a.Token, machineRefusal(err)
}

// grant has the provider vouch for the person at the server's authorization server.
func (m Managed) grant(ctx context.Context, t credential.Target) (credential.Secret, error) {
	idToken, p, err := m.Provider(ctx)
	if err != nil {
		return credential.Secret{}, err
	}
	c, err := newClient(p, p.ClientID, p.Secret, p.AuthMethod)
	if err != nil {
		return credential.Secret{}, err
	}
	form := newForm(tokenExchange, t)
	form.Set("requested_token_type", typeIDJAG)
	form.Set("audience", t.Endpoints.Issuer)
	form.Set("subject_token", idToken.Reveal())
	form.Set("subject_token_type", typeIDToken)
	set(form, "scope", strings.Join(t.Scopes, " "))
	r, err := m.send(ctx, p.Endpoints.Token, c, form)
	if err != nil {
		return credential.Secret{}, err
	}
	if !r.ok() {
		return credential.Secret{}, atProvider(r.refusal(m.Now()), p.Server)
	}
	grant := r.text("access_token")
	if r.text("issued_token_type") != typeIDJAG || strings.Count(grant, ".") != 2 {
		return credential.Secret{}, credential.Fail(credential.BadAnswer, "the identity provider answered without an identity assertion (id-jag)", nil)
	}
	return credential.NewSecret(grant), nil
}

// atProvider says that the provider and not the server's own authorization server has refused. One that does not take the ID token
// wants a new sign-in.
func atProvider(e *credential.Error, provider string) error {
	e.Server, e.Text = provider, "identity provider: "+e.Text
	if e.Code == "invalid_grant" || e.Kind == credential.StepUp {
		e.Kind = credential.NoSignIn
	}
	return e
}

// Key returns the zero Secret: what proves the person is at the provider.
func (Managed) Key([]byte) (credential.Secret, error) { return credential.Secret{}, nil }

// Check says what the configuration lacks. Errors are of kind Misconfigured.
func (m Managed) Check() error {
	for _, need := range [][2]string{{m.Issuer, "issuer"}, {m.ClientID, "client_id"}} {
		if need[0] == "" {
			return credential.Fail(credential.Misconfigured, "config.toml names an identity_provider for this server and lacks "+need[1]+" of the authorization server that takes the provider's word", nil)
		}
	}
	return nil
}

// idToken is the ID token of a reply in the place of the access token. It is not verified: it has come from the provider itself
// (OpenID Connect Core section 3.1.3.7), and only the provider reads it again.
func (s *Source) idToken(r reply, t credential.Target) (credential.Token, error) {
	text := r.text("id_token")
	end, err := expiryOf(text)
	if err != nil || !credential.CheckBearer(text) {
		return credential.Token{}, credential.Fail(credential.BadAnswer, "the identity provider answered without an ID token that can be used; it has to give one on a refresh too", err)
	}
	token := credential.Token{
		Access: credential.NewSecret(text), Type: "Bearer", Obtained: r.sent, Expiry: end, Scopes: r.scopes(t.Scopes), Account: t.Account, Issuer: t.Endpoints.Issuer,
	}
	token.RefreshAt = credential.RefreshWindow(token.Obtained, token.Expiry, s.Jitter())
	return token, nil
}

// expiryOf reads the end of a JWT.
func expiryOf(text string) (time.Time, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return time.Time{}, errors.New("it is not a JWT")
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Expiry float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(data, &claims) != nil || claims.Expiry <= 0 || claims.Expiry > 1<<40 {
		return time.Time{}, errors.New("it has no end")
	}
	return time.Unix(int64(claims.Expiry), 0), nil
}

package core

import (
	"cmp"
	"context"

	"github.com/mcp-credential/mcp-credential/config"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
	"github.com/mcp-credential/mcp-credential/source"
	"github.com/mcp-credential/mcp-credential/source/oauth"
	"github.com/mcp-credential/mcp-credential/source/workload"
)

// managedKind is what a sign-in at an identity provider is called among the machine identities, whose code it shares.
const managedKind = "identity-provider"

// providerURL is what an identity provider is called as a server: in records, in config.toml and on the command line.
func providerURL(c config.Server) string {
	url, _ := credential.ParseServerURL(c.IdentityProvider)
	return url
}

// providerIssuer is the issuer that the configuration means by a server URL, where that is an identity provider; else "".
func (w *wiring) providerIssuer(url string) string {
	for _, c := range w.config.Servers {
		if c.IdentityProvider != "" && providerURL(c) == url {
			return c.IdentityProvider
		}
	}
	return ""
}

// provider is what is known of an identity provider that somebody signs in at.
func (w sources) provider(ctx context.Context, url, issuer string) (helper.Found, error) {
	e, err := w.providerEndpoints(ctx, url, issuer)
	return helper.Found{Source: sourceOAuth, Endpoints: e, IDToken: true, Scopes: []string{"openid", "profile", "email"}}, err
}

// providerEndpoints are those of the provider's metadata, or of Entra ID by rule.
func (w sources) providerEndpoints(ctx context.Context, url, issuer string) (credential.Endpoints, error) {
	if !microsoft.SignInHost(issuer) {
		return w.issuer(ctx, url, issuer)
	}
	a, err := microsoft.ParseAuthority(issuer, "")
	return credential.Endpoints{
		Issuer: a.Issuer(), Authorization: a.Endpoint("authorize"), Token: a.Endpoint("token"), PKCE: []string{"S256"}, Scopes: []string{"offline_access"},
	}, err
}

// managed gets tokens for a server by the sign-in at its identity provider.
func (w sources) managed(q credential.Query, c config.Server, scopes []string) (helper.Machine, error) {
	client, err := w.http()
	if err != nil {
		return nil, err
	}
	url := providerURL(c)
	m := oauth.Managed{
		Source: oauth.New(source.Config{Client: client, Trace: w.trace}), Issuer: c.Issuer, ClientID: c.ClientID, SecretFile: c.ClientSecretFile,
		KeyFile: clientKey(c), AuthMethod: c.AuthMethod,
		Provider: func(ctx context.Context) (credential.Secret, credential.Target, error) {
			return w.vouch(ctx, url, c.IdentityProvider)
		},
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	return machineIdentity{helper.Principal{
		Kind: managedKind, Issuer: c.Issuer, ClientID: c.ClientID, Scopes: scopes, Resource: cmp.Or(c.Resource, q.URL), Provider: url, Lookup: true,
	}, m}, nil
}

// vouch is the identity provider's word for the person: of the sign-in there, or from a file that somebody else keeps fresh.
func (w sources) vouch(ctx context.Context, url, issuer string) (credential.Secret, credential.Target, error) {
	c := w.config.Servers[url]
	secret, err := helper.SecretFile(c.ClientSecretFile)
	if err != nil {
		return credential.Secret{}, credential.Target{}, err
	}
	t := credential.Target{Server: url, ClientID: c.ClientID, Secret: secret, Key: clientKey(c), AuthMethod: c.AuthMethod}
	if c.IDTokenFile == "" {
		v, err := helper.Providers{Helper: w.helper}.Vouch(ctx, url)
		t.ClientID, t.Endpoints = v.ClientID, v.Endpoints
		return v.IDToken, t, err
	}
	if t.Endpoints, err = w.providerEndpoints(ctx, url, issuer); err != nil {
		return credential.Secret{}, t, err
	}
	idToken, err := workload.File(c.IDTokenFile)
	return idToken, t, err
}

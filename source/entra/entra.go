// Package entra gets tokens from Microsoft Entra ID: for people by browser, by a code typed on another device, or
// silently from a refresh token. It is the only importer of MSAL, which forms the requests; what goes over the wire, and
// when, is decided in msaltransport.go. Discovery, storing, locking and approval are left to discovery and helper.
package entra

import (
	"context"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
	"github.com/mcp-credential/mcp-credential/source"
)

// Source implements source.Source for people.
type Source struct{ source.Config }

var _ source.Source = (*Source)(nil)

// New returns a Source that asks with c.Client.
func New(c source.Config) *Source { return &Source{c.WithDefaults()} }

// Silent spends g's refresh token, as source.Source says. The scopes are those that were asked for at the sign-in: the
// ones that Entra echoes mix .default with names, which it refuses (AADSTS70011).
func (s *Source) Silent(ctx context.Context, t credential.Target, g credential.Grant, _ string,
	keep func(credential.Grant) error) (credential.Answer, error) {
	if g.RefreshToken.IsZero() {
		return credential.Answer{}, credential.Fail(credential.NoSignIn, "the sign-in has no refresh token", nil)
	}
	c, err := s.transport(t)
	if err != nil {
		return credential.Answer{}, err
	}
	kept := g
	c.keep = func(rotated credential.Secret) error {
		if !rotated.IsZero() {
			kept.RefreshToken = rotated
		}
		kept.Answered = c.last.read
		return keep(kept)
	}
	account := account(c.authority, t)
	app, err := c.app(t.ClientID, public.WithCache(cacheOf(c.authority, t.ClientID, account, g.RefreshToken)))
	if err == nil {
		_, err = app.AcquireTokenSilent(ctx, c.scopes, public.WithSilentAccount(account), public.WithClaims(t.Claims))
	}
	a, err := c.answer(t, err)
	if err != nil {
		return credential.Answer{}, source.Kept(err, c.keepErr)
	}
	a.Grant = kept
	return a, c.keepErr
}

// Interactive signs a person in within credential.SignInTotal, as source.Source says.
func (s *Source) Interactive(ctx context.Context, t credential.Target, ui source.UI) (credential.Answer, error) {
	c, err := s.transport(t)
	if err != nil {
		return credential.Answer{}, err
	}
	c.keep = func(fresh credential.Secret) error { c.fresh = fresh; return nil }
	app, err := c.app(t.ClientID)
	if err != nil {
		return credential.Answer{}, c.fault(err)
	}
	way := c.browser
	switch ui.Way() {
	case source.Device:
		way = c.device
	case source.NoBrowser:
		way = c.pasted
	}
	a, err := source.SignIn(ctx, func(ctx context.Context) (credential.Answer, error) { return way(ctx, app, t, ui) })
	a.Grant.RefreshToken = c.fresh
	return a, err
}

// Revoke does nothing: Entra ID has no endpoint for it (RFC 7009). The person ends sessions at myaccount.microsoft.com.
func (s *Source) Revoke(context.Context, credential.Target, credential.Grant, string) error {
	return nil
}

// transport is MSAL's way to the authority of a target, which must be on the allow-list: instance discovery is off
// because that list has already judged the host.
func (s *Source) transport(t credential.Target) (*msalTransport, error) {
	if t.ClientID == "" {
		return nil, credential.Fail(credential.Misconfigured,
			"Entra ID registers no clients by itself; name the application (client) ID of your own registration with --client-id: docs/entra.md", nil)
	}
	if !t.Secret.IsZero() {
		return nil, credential.Fail(credential.Misconfigured, "a person signs in to Entra ID with a public client, which has no secret; remove client_secret_file", nil)
	}
	authority, err := microsoft.ParseAuthority(t.Endpoints.Issuer, "")
	if err != nil {
		return nil, err
	}
	scopes := microsoft.Resource(t.Scopes)
	if len(scopes) == 0 {
		return nil, credential.Fail(credential.Misconfigured,
			"no scope is known for "+t.Server+"; name one, such as api://APP/.default, with --scope or as scopes in config.toml", nil)
	}
	return &msalTransport{Source: s, authority: authority, scopes: scopes, resource: resource(t.Resource, scopes)}, nil
}

// app makes MSAL's client. cp1 says that claims challenges are understood (Continuous Access Evaluation).
func (c *msalTransport) app(clientID string, more ...public.Option) (public.Client, error) {
	return public.New(clientID, append([]public.Option{
		public.WithAuthority(c.authority.String()), public.WithHTTPClient(c),
		public.WithInstanceDiscovery(false), public.WithClientCapabilities([]string{"cp1"}),
	}, more...)...)
}

// Package oauth gets tokens from any authorization server that follows the MCP authorization specification: OAuth 2.1
// with PKCE, RFC 8707 resource indicators, RFC 9207 issuers, dynamic registration, the device grant and refresh
// tokens. Discovery, storing, locking and approval are left to discovery and helper; Entra ID to source/entra.
//
// The token endpoint is written here and not taken from golang.org/x/oauth2, which cannot send resource on a refresh
// and puts the response body into its errors.
package oauth

import (
	"context"
	"errors"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
	"github.com/mcp-credential/mcp-credential/source"
)

// Source implements source.Source.
type Source struct {
	source.Config
	nonces dpop.Nonces
}

var _ source.Source = (*Source)(nil)

// New returns a Source that asks with c.Client.
func New(c source.Config) *Source { return &Source{Config: c.WithDefaults()} }

// Silent spends g's refresh token, as source.Source says. It asks for no scope: the server then grants what it granted
// before (RFC 6749 section 6), where naming a scope that the person did not grant would be an error.
func (s *Source) Silent(ctx context.Context, t credential.Target, g credential.Grant, authMethod string,
	keep func(credential.Grant) error) (credential.Answer, error) {
	if g.RefreshToken.IsZero() {
		return credential.Answer{}, credential.Fail(credential.NoSignIn, "the sign-in has no refresh token", nil)
	}
	c, err := knownClient(t, g, authMethod)
	if err != nil {
		return credential.Answer{}, err
	}
	c.proof = g.Key
	form := newForm("refresh_token", t)
	form.Set("refresh_token", g.RefreshToken.Reveal())
	r, err := s.send(ctx, t.Endpoints.Token, c, form)
	if err != nil {
		return credential.Answer{}, err
	}
	kept, keepErr := s.keep(r, g, keep)
	a, err := s.accept(r, t, c, kept)
	if err != nil {
		return credential.Answer{}, source.Kept(dead(err, g), keepErr)
	}
	return a, keepErr
}

// keep hands on the grant as a successful response leaves it, before the response is judged. A refusal, and an
// answer that cannot be read, leave it alone.
func (s *Source) keep(r reply, g credential.Grant, keep func(credential.Grant) error) (credential.Grant, error) {
	if !r.ok() || r.members == nil {
		return g, nil
	}
	if rotated := r.refreshToken(); !rotated.IsZero() {
		g.RefreshToken = rotated
	}
	g.Answered = r.read
	return g, keep(g)
}

// dead turns the refusal of a refresh token into the kind that says so. Where a server has come to want a key that the
// sign-in has not got, another sign-in makes one.
func dead(err error, g credential.Grant) error {
	var e *credential.Error
	if errors.As(err, &e) && (deadCodes[e.Code] || g.Key.IsZero() && proofCodes[e.Code]) {
		e.Kind = credential.SignInDead
	}
	return err
}

// Interactive signs a person in within credential.SignInTotal, as source.Source says.
func (s *Source) Interactive(ctx context.Context, t credential.Target, ui source.UI) (credential.Answer, error) {
	a, err := source.SignIn(ctx, func(ctx context.Context) (credential.Answer, error) {
		if ui.Way() == source.Device {
			return s.device(ctx, t, ui)
		}
		return s.code(ctx, t, ui)
	})
	var e *credential.Error
	if errors.As(err, &e) && e.Kind == credential.NoSignIn && ui.Way() == source.Browser && t.ClientID != "" && t.Redirect == "" {
		e.Text += "; if its page refused the redirect URI, name the one that the client is registered with: --callback-port PORT, or redirect_uri in config.toml"
	}
	return a, err
}

// Revoke asks the server to end the grant (RFC 7009), once, within credential.HTTPMetadata.
func (s *Source) Revoke(ctx context.Context, t credential.Target, g credential.Grant, authMethod string) error {
	if t.Endpoints.Revocation == "" || g.RefreshToken.IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, credential.HTTPMetadata)
	defer cancel()
	c, err := knownClient(t, g, authMethod)
	if err != nil {
		return err
	}
	form := map[string][]string{"token": {g.RefreshToken.Reveal()}, "token_type_hint": {"refresh_token"}}
	r, err := s.post(ctx, t.Endpoints.Revocation, c, form)
	if err != nil {
		return err
	}
	if !r.ok() {
		return r.refusal(s.Now())
	}
	return nil
}

// Package source says what a token source is: where access tokens come from once a cache has none. Implementations
// live one folder below, one per kind of authorization server; this package leaves storing, locking and deciding to
// helper.
package source

import (
	"context"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Source gets tokens from one kind of authorization server. It may be called by one goroutine at a time per sign-in;
// the caller holds the sign-in's lock around Silent. Every error is a *credential.Error or wraps one, and no error
// holds a token, a response body or a request.
type Source interface {
	// Silent trades g's refresh token for an access token with one HTTP request per attempt. keep is called with the
	// grant as the response leaves it (rotated or not) before anything else in the response is judged, so that a rotated
	// refresh token is durable first; an error of keep is reported, but a usable token is still returned with it.
	// SignInDead means that the authorization server has refused this refresh token (invalid_grant).
	Silent(ctx context.Context, t credential.Target, g credential.Grant, authMethod string,
		keep func(credential.Grant) error) (credential.Answer, error)

	// Interactive signs a person in by the way that ui says, and redeems the result.
	Interactive(ctx context.Context, t credential.Target, ui UI) (credential.Answer, error)

	// Revoke ends the grant at the server (RFC 7009) where it has an endpoint for that; without one it does nothing.
	Revoke(ctx context.Context, t credential.Target, g credential.Grant, authMethod string) error
}

// Way is how a person is reached.
type Way int

// The ways to sign in.
const (
	Browser   Way = iota // authorization code with PKCE on a loopback port, in this machine's browser
	Device               // device authorization grant (RFC 8628): a code typed on any device
	NoBrowser            // authorization code; the person opens the URL elsewhere and pastes the redirect back
)

// UI is the person's side of a sign-in. Texts from a server are made printable by the source before they get here.
type UI interface {
	Way() Way
	// OpenURL shows url to the person: in a browser (Browser) or as text (NoBrowser). The URL holds no secret that
	// outlives the sign-in. It returns soon after ctx ends, which may mean that the person is back already.
	OpenURL(ctx context.Context, url string) error
	// ShowCode tells the person to open url and type code; complete, where not empty, has the code in it. It returns
	// at once; waiting indications go on until the source returns.
	ShowCode(ctx context.Context, url, complete, code string) error
	// PastedRedirect waits for the URL that the person's browser ended on. wrong says why the last one was not it, nil the
	// first time.
	PastedRedirect(ctx context.Context, wrong error) (string, error)
	// Registered is called with a client that was just registered, before the person is asked to sign in, so that it
	// can be used again after a failed attempt.
	Registered(clientID string, secret credential.Secret) error
	// Tell tells the person what the sign-in waits for, where nothing is asked of them.
	Tell(text string)
}

package fakeworld

import (
	"crypto"
	"net/http"
	"time"
)

// Options are what stays the same for the life of a World. The zero Options is a well-behaved server with one MCP
// server at /mcp, tokens of an hour and a refresh token that never changes.
type Options struct {
	AccessTTL  time.Duration // life of an access token; 0: one hour
	RefreshTTL time.Duration // life of a refresh token, told to the client; 0: no end
	CodeTTL    time.Duration // life of an authorization code; 0: one minute
	DeviceTTL  time.Duration // life of a device code; 0: five minutes

	DeviceInterval time.Duration // least time between two polls, whole seconds; 0: one second

	Rotate        bool // a refresh gives a new refresh token and spends the old one
	RevokeOnReuse bool // a spent refresh token, presented again, kills its grant
	NoRefresh     bool // no refresh tokens at all
	OfflineScope  bool // refresh tokens only for grants that hold offline_access
	OmitExpiry    bool // expires_in is left out
	OmitScope     bool // scope is left out of token responses: it is as requested (RFC 6749 section 5.1)
	CommaScopes   bool // the scopes of a token response are separated by commas (GitHub, Slack)
	PlainRefresh  bool // a refresh that names scopes is refused
	ErrorsOK      bool // the token endpoint refuses with status 200 (GitHub, Slack)

	// DPoP: both servers demand tokens that are bound to a key and a proof of that (RFC 9449), with nonces that are good for
	// one proof each; refresh tokens are bound too.
	DPoP bool

	NoRegistration bool             // no dynamic client registration
	ClientKey      crypto.PublicKey // of KeyClient, which authenticates by private_key_jwt; nil: there is none
	WorkloadKey    crypto.PublicKey // of the issuer whose assertions are taken as grants (RFC 7523 section 2.1); nil: none is
	Vouches        bool             // an identity provider: ID tokens are exchanged for identity assertions (ID-JAG)
	Trusts         string           // issuer of the identity provider whose assertions are taken as grants; empty: none is
	AuthMethod     string           // of clients with a secret, and of all that register, whatever they asked for; empty: as asked
	ExactPorts     bool             // a redirect URI must match its registration with the port
	Redirect       string           // redirect URI of the well-known clients; empty: http://127.0.0.1/callback
	OfflineParam   string           // name=value: refresh tokens only for an authorization request that has it (Google's access_type=offline)
	NeedParam      string           // name=value: an authorization request without it gets a token that no server takes (Auth0's audience)

	Scopes     []string // scopes_supported; nil: mcp:read and mcp:write
	Paths      []string // one protected MCP server each; nil: /mcp
	IssuerPath string   // path of the issuer, such as /tenant; empty: none
	RootOnly   bool     // resource metadata at the root well-known only, naming the origin as the resource
	OpenIDOnly bool     // the authorization server's metadata as OpenID Connect has it only, not where RFC 8414 does
	NoIss      bool     // redirects do not say which authorization server they come from, nor is that announced (RFC 9207)

	TLS bool // https, with the certificate of World.CertPEM; the control listener stays http

	MCP http.Handler     // what serves authorized requests; nil: a JSON answer that says who is calling
	Now func() time.Time // the clock; nil: time.Now
}

func (o Options) withDefaults() Options {
	o.AccessTTL = orDefault(o.AccessTTL, time.Hour)
	o.CodeTTL = orDefault(o.CodeTTL, time.Minute)
	o.DeviceTTL = orDefault(o.DeviceTTL, 5*time.Minute)
	o.DeviceInterval = orDefault(o.DeviceInterval, time.Second)
	if o.Scopes == nil {
		o.Scopes = []string{"mcp:read", "mcp:write"}
	}
	if o.Paths == nil {
		o.Paths = []string{"/mcp"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

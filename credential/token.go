package credential

import "time"

// Query is what a caller asks for. URL is canonical (see ParseServerURL).
type Query struct {
	URL       string   // the MCP server, canonical
	OriginOf  bool     // the caller named only an origin (git without a path): answered where it has one known server
	Below     bool     // a known server that is a parent of URL by path serves it (git with a path)
	Account   string   // label of the sign-in; empty means the server's default
	ClientID  string   // OAuth client; empty means the one of the sign-in
	Scopes    []string // scopes asked for besides the approved ones (--scope)
	Challenge string   // a WWW-Authenticate value to answer (--challenge)
	Identity  string   // kind of the machine identity that must answer (--identity); empty: see helper.Machine
	Tenant    string   // tenant of that identity, where the identity provider has tenants (--tenant)
	Principal string   // what the environment says about a machine identity, without a secret; empty: nothing
}

// Token is one access token (RFC 6749 section 5.1) with what we know of it.
type Token struct {
	Access    Secret
	Type      string    // "Bearer" or TypeDPoP
	Key       Secret    // private key that a token of TypeDPoP is bound to, else empty
	Obtained  time.Time // when the authorization server issued it, by our clock
	Expiry    time.Time // zero: the server did not say
	RefreshAt time.Time // from here on it is refreshed ahead of its expiry; zero: never
	Scopes    []string  // granted, as the server echoed them; the requested ones where it did not
	Account   string    // label, or what the identity provider calls the person
	Issuer    string
	Resource  string // the protected resource (RFC 8707) it was asked for, byte-exact
	Server    string // the canonical URL of the server it was approved for; it goes nowhere else
}

// TypeDPoP is the type of a token that is worth something only with a proof of its key (RFC 9449 section 5), and
// ProofAlgorithm what proofs are signed with, as metadata lists it (section 5.1).
const (
	TypeDPoP       = "DPoP"
	ProofAlgorithm = "ES256"
)

// OnlyBridge says that the tokens for a server are handed to nobody: they are bound to a key that stays here.
func OnlyBridge(server string) *Error {
	e := Fail(KeyBound, "the tokens for "+server+" are bound to a key (DPoP), which the bridge alone proves", nil)
	e.Server = server
	return e
}

// ExpirySkew is how long before its expiry a token counts as expired: a request needs time to arrive.
const ExpirySkew = 10 * time.Second

// Valid reports whether the token can still be handed out at now. A token whose whole life is shorter than ten times
// ExpirySkew is valid up to a tenth of its life before its end.
func (t Token) Valid(now time.Time) bool {
	if t.Access.IsZero() {
		return false
	}
	if t.Expiry.IsZero() {
		return true
	}
	skew := min(ExpirySkew, t.Expiry.Sub(t.Obtained)/10)
	return now.Add(skew).Before(t.Expiry) && !now.Before(t.Obtained.Add(-ClockTolerance))
}

// ClockTolerance is how far the clock may have gone back since a token was obtained before the token is distrusted:
// its expiry was computed by a clock that has turned out to be wrong.
const ClockTolerance = 5 * time.Minute

// Due reports whether the token is inside its refresh window at now.
func (t Token) Due(now time.Time) bool {
	return !t.RefreshAt.IsZero() && !now.Before(t.RefreshAt)
}

// RefreshWindow returns when a token that lives from obtained to expiry should be refreshed ahead of time: in the last
// fifth of its life. jitter in [0,1) spreads the callers of many machines over a tenth of that window, early side.
func RefreshWindow(obtained, expiry time.Time, jitter float64) time.Time {
	if expiry.IsZero() {
		return time.Time{}
	}
	window := expiry.Sub(obtained) / 5
	spread := time.Duration(float64(window) / 10 * jitter)
	return expiry.Add(-window - spread)
}

// Grant is the secret half of a sign-in, as the keychain keeps it.
type Grant struct {
	RefreshToken Secret
	ClientSecret Secret    // of a confidential or dynamically registered client; usually empty
	Key          Secret    // private key that the tokens of this sign-in are bound to (RFC 9449); empty: they are bearer tokens
	DataKey      Secret    // 32 random bytes that seal the access tokens of this sign-in
	Answered     time.Time // when the answer that it came in had been read to its last byte; zero: unknown. It is not stored
}

// Left says in words how long the token is still valid: "unknown" without an expiry, else a rounded duration.
func (t Token) Left(now time.Time) string {
	if t.Expiry.IsZero() {
		return "unknown"
	}
	return max(t.Expiry.Sub(now), 0).Round(time.Second).String()
}

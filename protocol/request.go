package protocol

import (
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Request is one request as its format told it. A format fills what it has words for.
type Request struct {
	Query  credential.Query // URL canonical; Scopes are those asked for (get) or granted (store)
	Format string           // the format that was read, which is also the default for the answer; empty: the URL came by argv

	// Access is the token to store or the refused one to erase. It passes credential.CheckBearer, but only Type "Bearer",
	// or Issuer and ClientID beside it, say that it is an access token: git offers people's passwords in the same place.
	Access credential.Secret
	Type   string    // "Bearer" where the caller said so, else empty
	Expiry time.Time // of Access; zero: unknown

	Refresh  credential.Secret // store: a refresh token
	Issuer   string            // store: the authorization server it is from, byte-exact
	ClientID string            // store: the client it was issued to; also Query.ClientID

	Ours       bool     // git: it carries our own state, so it is our own answer coming back
	Ephemeral  bool     // git: another helper's credential that must not be kept
	AuthType   bool     // git: the caller understands authtype and credential
	State      bool     // git: the caller understands state[]
	Challenges []string // git: WWW-Authenticate values of the server, as received
	User       string   // git: the user name to echo

	Asked      string // docker: the server as the caller wrote it, to echo
	Version    string // kubernetes: the apiVersion of the answer
	WithScheme bool   // cargo: the registry wants the word Bearer before the token
	Shell      string // env: whose line it is; empty: this system's
	Variable   string // env: which variable it sets; empty: EnvDefault
}

// deliberate reports whether the request says that it is about OAuth: then a fault in it is worth an error.
func (r *Request) deliberate() bool { return r.Type != "" || r.Issuer != "" || r.ClientID != "" }

// check judges what every format may carry: the tokens' characters and the issuer. Errors are of kind BadInput.
func (r *Request) check() error {
	switch {
	case !r.Access.IsZero() && !credential.CheckBearer(r.Access.Reveal()):
		return bad("the access token is not a well-formed bearer token (RFC 6750)")
	case !visible(r.Refresh.Reveal()):
		return bad("the refresh token contains invalid characters (RFC 6749 appendix A.17)")
	case !visible(r.ClientID):
		return bad("the client id contains invalid characters (RFC 6749 appendix A.1)")
	case r.Issuer != "" && credential.CheckEndpoint(r.Issuer, "issuer") != nil:
		return bad("the issuer is not an https URL")
	}
	return nil
}

// maxExpiry is the last second that RFC 3339 can write, in Unix time.
const maxExpiry = 253402300799

// bad builds an error about the request. No value of the request goes into it: any of them may be a secret.
func bad(text string) error { return credential.Fail(credential.BadInput, text, nil) }

// visible reports whether s consists of the characters that RFC 6749 appendix A calls VSCHAR.
func visible(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) < 0
}

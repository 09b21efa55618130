package credential

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Target is everything a source must know to ask for a token, without a secret in it.
type Target struct {
	Server    string    // canonical server URL
	Resource  string    // RFC 8707 resource, byte-exact from the metadata; empty: the parameter is not sent
	Scopes    []string  // what to ask for, complete
	Claims    string    // decoded claims challenge (JSON), or empty
	Account   string    // label or login hint
	User      string    // what the identity provider called the person before, or empty
	Subject   string    // Answer.Subject of the sign-in, or empty
	ClientID  string    // empty: the source registers or asks
	Secret    Secret    // client secret given on the command line or by config, else empty
	Endpoints Endpoints // of the issuer
	Bound     bool      // the server wants tokens that are bound to a key (RFC 9449): a sign-in makes one

	IDToken bool // the ID token is the one that is wanted: the sign-in is at a provider that vouches for the person elsewhere

	Key ClientKey // that the client proves itself with, where it has one

	// What a person has written down about a client that was registered by hand. A refresh uses none of it.
	Redirect   string            // redirect_uri, byte-exact, see CheckRedirect; empty: any free port
	Params     map[string]string // more parameters of the authorization request, none of them ours
	AuthMethod string            // token_endpoint_auth_method (RFC 7591 section 2); empty: the source chooses
}

// ClientKey is how a client proves itself by private_key_jwt (RFC 7523 section 2.2). It holds no secret.
type ClientKey struct {
	File      string // path of the private key
	ID        string // kid of the key at the authorization server; empty: none is named
	Algorithm string // of the signature (RFC 7518 section 3.1); empty: the usual one of such a key
	Audience  string // of the assertion; empty: the issuer
}

// Endpoints is what is remembered of an authorization server, so that a refresh needs no discovery. All URLs have
// passed CheckEndpoint.
type Endpoints struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint,omitempty"`
	Token         string   `json:"token_endpoint"`
	Device        string   `json:"device_authorization_endpoint,omitempty"`
	Registration  string   `json:"registration_endpoint,omitempty"`
	Revocation    string   `json:"revocation_endpoint,omitempty"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	SigningAlgs   []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	GrantTypes    []string `json:"grant_types_supported,omitempty"`
	Scopes        []string `json:"scopes_supported,omitempty"`
	PKCE          []string `json:"code_challenge_methods_supported,omitempty"`
	Proofs        []string `json:"dpop_signing_alg_values_supported,omitempty"`
	IssInResponse bool     `json:"authorization_response_iss_parameter_supported,omitempty"`
	ClientIDDocs  bool     `json:"client_id_metadata_document_supported,omitempty"`
}

// Answer is what a source brings home.
type Answer struct {
	Token          Token
	Grant          Grant     // after Interactive: complete; after Silent: as handed to keep
	ClientID       string    // the client that was used (registered, perhaps)
	AuthMethod     string    // token endpoint authentication in use: none, client_secret_basic, client_secret_post or private_key_jwt
	User           string    // what the identity provider calls the person, for display; may be empty
	Subject        string    // what identifies the person there for good, where that is known; may be empty
	RefreshExpires time.Time // known end of the refresh token; zero: unknown
}

// SignInID names a sign-in: the first 20 hexadecimal digits of a hash over issuer, client, account and the resource
// its refresh token is bound to (empty for Entra, whose refresh tokens serve every resource of the tenant).
func SignInID(issuer, clientID, account, resource string) string {
	return hashID(issuer, clientID, account, resource)
}

// TokenID names an access token: a hash over the sign-in, the full resource, the server and the sorted scopes.
func TokenID(signIn, server, resource string, scopes []string) string {
	return hashID(append([]string{signIn, server, resource}, SortScopes(scopes)...)...)
}

func hashID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:10])
}

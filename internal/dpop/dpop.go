// Package dpop proves to servers that the sender of a request holds the key that its tokens are bound to (RFC 9449): a new
// key for each sign-in, a signed proof for each request, and the nonces that servers want in the proofs. When that is asked
// for, and where the key is kept, is left to others.
package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcp-credential/mcp-credential/credential"
)

// The OAuth error codes of a proof (RFC 9449 sections 5 and 8). A request that is answered with one of them has been
// carried out in no part, and has spent neither a code nor a refresh token.
const (
	ErrNonce = "use_dpop_nonce"
	ErrProof = "invalid_dpop_proof"
)

// headerProof is the header of a proof, in the spelling that net/http keys it by.
const headerProof = "Dpop"

// NewKey makes the private key of one sign-in: the scalar of a P-256 key in base64url, 43 characters.
func NewKey() (credential.Secret, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return credential.Secret{}, credential.Fail(credential.Internal, "cannot make a key", err)
	}
	scalar, err := key.Bytes()
	if err != nil {
		return credential.Secret{}, credential.Fail(credential.Internal, "cannot write a key", err)
	}
	return credential.NewSecret(base64.RawURLEncoding.EncodeToString(scalar)), nil
}

func parse(key credential.Secret) (*ecdsa.PrivateKey, error) {
	scalar, err := base64.RawURLEncoding.DecodeString(key.Reveal())
	if err == nil {
		var private *ecdsa.PrivateKey
		if private, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar); err == nil {
			return private, nil
		}
	}
	return nil, credential.Fail(credential.Internal, "the key of the sign-in is damaged", nil) // the cause may quote it
}

// Thumbprint names the public half of a key (RFC 7638), as the parameter dpop_jkt has it (RFC 9449 section 10).
func Thumbprint(key credential.Secret) (string, error) {
	private, err := parse(key)
	if err != nil {
		return "", err
	}
	sum, err := (&jose.JSONWebKey{Key: &private.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", credential.Fail(credential.Internal, "a key cannot be named", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// claims are those of a proof (RFC 9449 section 4.2).
type claims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	URL    string `json:"htu"`
	Issued int64  `json:"iat"`
	Access string `json:"ath,omitempty"`
	Nonce  string `json:"nonce,omitempty"`
}

// Prove puts a new proof on a request that uses access, or none where that is zero; nonce is the server's, or empty. A proof
// serves one attempt: no server takes it twice.
func Prove(r *http.Request, key, access credential.Secret, nonce string, now time.Time) error {
	private, err := parse(key)
	if err != nil {
		return err
	}
	c := claims{ID: rand.Text(), Method: r.Method, URL: target(r.URL), Issued: now.Unix(), Nonce: nonce}
	if !access.IsZero() {
		sum := sha256.Sum256([]byte(access.Reveal()))
		c.Access = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	proof, err := sign(private, c)
	if err != nil {
		return credential.Fail(credential.Internal, "a proof cannot be signed", err)
	}
	r.Header[headerProof] = []string{proof}
	return nil
}

func sign(private *ecdsa.PrivateKey, c claims) (string, error) {
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(credential.ProofAlgorithm), Key: private}, options)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// target is a URL without query and fragment, its empty path written as HTTP sends it.
func target(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return u.Scheme + "://" + u.Host + path
}

// Authorize puts a token on a request for its server: as a bearer, or where it is bound to a key as RFC 9449 section 7.1 has
// it. The zero Token is none.
func Authorize(r *http.Request, t credential.Token, nonce string, now time.Time) error {
	scheme := "Bearer "
	switch {
	case t.Access.IsZero():
		return nil
	case !t.Key.IsZero():
		scheme = credential.TypeDPoP + " "
		if err := Prove(r, t.Key, t.Access, nonce, now); err != nil {
			return err
		}
	}
	r.Header["Authorization"] = []string{scheme + t.Access.Reveal()}
	return nil
}

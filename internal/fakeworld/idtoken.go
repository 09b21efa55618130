package fakeworld

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// signer signs id tokens with a key of its own (ES256).
type signer struct{ key *ecdsa.PrivateKey }

func newSigner() (signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return signer{key}, err
}

// idToken makes the id token of OpenID Connect Core section 2 for a grant.
func (s signer) idToken(issuer string, g *grant, now time.Time, life time.Duration) string {
	claims := map[string]any{
		"iss": issuer, "sub": g.subject, "aud": g.client.ID, "iat": now.Unix(), "exp": now.Add(life).Unix(),
		"preferred_username": g.subject,
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	return s.sign(map[string]any{"alg": "ES256", "kid": "1"}, claims)
}

// sign makes a JWT.
func (s signer) sign(header, claims map[string]any) string {
	signed := part(header) + "." + part(claims)
	sum := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		panic(fmt.Sprintf("fakeworld: sign: %v", err))
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	v.FillBytes(sig[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func part(doc map[string]any) string {
	data, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Sprintf("fakeworld: %v", err))
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// serve answers with the public key (RFC 7517).
func (s signer) serve(rw http.ResponseWriter, _ *http.Request) {
	point, err := s.key.PublicKey.Bytes()
	if err != nil {
		panic(fmt.Sprintf("fakeworld: %v", err))
	}
	b64 := base64.RawURLEncoding.EncodeToString
	WriteJSON(rw, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": b64(point[1:33]), "y": b64(point[33:])}}})
}

package fakeworld

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// proofs is what the two servers of a World with Options.DPoP remember of proofs (RFC 9449). World.mu guards it.
type proofs struct {
	seen   map[string]bool // every jti
	nonces map[string]bool // handed out and not used yet, each with the server's name before it
	key    string          // thumbprint of the key that the token request at hand has proved; empty: none
}

// proofLife is how old, or how far ahead, the time in a proof may be.
const proofLife = time.Minute

// The names of the servers before their nonces: one's is no good at the other.
const (
	nonceOfIssuer   = "as-"
	nonceOfResource = "rs-"
)

// newNonce makes the nonce of one answer, for one proof.
func (w *World) newNonce(server string) string {
	n := server + rand.Text()
	w.proofs.nonces[n] = true
	return n
}

// errNonce says that a proof is good but for its nonce.
var errNonce = errors.New("the nonce is none of ours, or was used before")

// proof is a DPoP proof, taken apart.
type proof struct {
	header struct {
		Type      string                     `json:"typ"`
		Algorithm string                     `json:"alg"`
		Key       map[string]json.RawMessage `json:"jwk"`
	}
	claims struct {
		ID     string `json:"jti"`
		Method string `json:"htm"`
		URL    string `json:"htu"`
		Issued int64  `json:"iat"`
		Access string `json:"ath"`
		Nonce  string `json:"nonce"`
	}
	x, y string
}

// checkProof judges the proof of a request to url, as RFC 9449 section 4.3 lists it, and returns the thumbprint of its key.
// access is the token that it comes with, or empty. The caller holds w.mu.
func (w *World) checkProof(r *http.Request, server, url, access string) (string, error) {
	values := r.Header.Values("DPoP")
	if len(values) != 1 {
		return "", fmt.Errorf("%d proofs", len(values))
	}
	p, err := parseProof(values[0])
	if err != nil {
		return "", err
	}
	ath := ""
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		ath = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	age := w.now().Sub(time.Unix(p.claims.Issued, 0))
	switch c := p.claims; {
	case c.Method != r.Method:
		return "", errors.New("htm is another method")
	case c.URL != url:
		return "", errors.New("htu is another URL")
	case age > proofLife || age < -proofLife:
		return "", errors.New("iat is too long ago, or ahead")
	case c.ID == "" || w.proofs.seen[c.ID]:
		return "", errors.New("jti was used before")
	case c.Access != ath:
		return "", errors.New("ath is of another token")
	}
	w.proofs.seen[p.claims.ID] = true
	if !strings.HasPrefix(p.claims.Nonce, server) || !w.proofs.nonces[p.claims.Nonce] {
		return "", errNonce
	}
	delete(w.proofs.nonces, p.claims.Nonce)
	text := fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, p.x, p.y) // RFC 7638 section 3.2
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// parseProof reads a proof and verifies its signature by the key in it.
func parseProof(text string) (p proof, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return p, errors.New("the proof is no JWT")
	}
	for i, into := range []any{&p.header, &p.claims} {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(data, into) != nil {
			return p, errors.New("the proof is no JWT")
		}
	}
	if p.header.Type != "dpop+jwt" || p.header.Algorithm != "ES256" {
		return p, errors.New("typ or alg is another")
	}
	public, err := p.publicKey()
	if err != nil {
		return p, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(sig) != 64 || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return p, errors.New("the signature does not verify")
	}
	return p, nil
}

// publicKey is the key of the header, which must not hold the private part.
func (p *proof) publicKey() (*ecdsa.PublicKey, error) {
	point, kty, crv := []byte{4}, "", ""
	for name, into := range map[string]*string{"kty": &kty, "crv": &crv, "x": &p.x, "y": &p.y} {
		if json.Unmarshal(p.header.Key[name], into) != nil {
			return nil, errors.New("the key lacks " + name)
		}
	}
	for _, half := range []string{p.x, p.y} {
		data, err := base64.RawURLEncoding.DecodeString(half)
		if err != nil {
			return nil, errors.New("the key is malformed")
		}
		point = append(point, data...)
	}
	if _, private := p.header.Key["d"]; private || kty != "EC" || crv != "P-256" {
		return nil, errors.New("the key is private, or of another kind")
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

// proveToken judges the proof of a token request. The caller holds w.mu, and calls it before anything is spent.
func (w *World) proveToken(rw http.ResponseWriter, r *http.Request) *oauthError {
	if !w.opt.DPoP {
		return nil
	}
	key, err := w.checkProof(r, nonceOfIssuer, w.issuer+"/token", "")
	rw.Header().Set("DPoP-Nonce", w.newNonce(nonceOfIssuer))
	if err == nil {
		w.proofs.key = key
		return nil
	}
	if errors.Is(err, errNonce) {
		return refuse("use_dpop_nonce", err.Error())
	}
	return refuse("invalid_dpop_proof", err.Error())
}

// proveAccess judges the proof of a request to a protected server, but for the key that the token is bound to, which it
// returns. outcome is empty where it is good. The caller holds w.mu.
func (w *World) proveAccess(r *http.Request, scheme, access string) (key, outcome string) {
	switch {
	case !w.opt.DPoP:
		return "", ""
	case !strings.EqualFold(scheme, "DPoP"):
		return "", MCPNoProof
	}
	key, err := w.checkProof(r, nonceOfResource, w.origin+r.URL.EscapedPath(), access)
	if errors.Is(err, errNonce) {
		return "", MCPNonce
	}
	if err != nil {
		return "", MCPProof
	}
	return key, ""
}

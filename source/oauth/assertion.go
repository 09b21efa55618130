package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/datakey"
	"github.com/mcp-credential/mcp-credential/source"
)

// assertionType is the client_assertion_type of a JWT (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionLife is how long an assertion is good for: one request and the clocks' difference.
const assertionLife = time.Minute

// signer signs what proves who the client is.
type signer struct {
	jose.Signer
	audience string
}

// newSigner reads the key file, which may have been replaced since. Errors are of kind Misconfigured.
func newSigner(k credential.ClientKey, e credential.Endpoints) (*signer, error) {
	if k.File == "" {
		return nil, credential.Fail(credential.Misconfigured, "the client proves itself with a key (private_key_jwt); config.toml lacks client_key_file", nil)
	}
	key, err := readKey(k.File)
	if err != nil {
		return nil, err
	}
	algorithm := k.Algorithm
	if algorithm == "" {
		algorithm = usualAlgorithm(key, e.SigningAlgs)
	}
	if len(e.SigningAlgs) > 0 && !slices.Contains(e.SigningAlgs, algorithm) {
		return nil, credential.Fail(credential.Misconfigured, "the client's key signs with "+algorithm+", which the authorization server does not take; it takes "+
			credential.Printable(strings.Join(e.SigningAlgs, ", "), 200), nil)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: jose.JSONWebKey{Key: key, KeyID: k.ID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, credential.Fail(credential.Misconfigured, "the client's key cannot sign with "+credential.Printable(algorithm, 40), err)
	}
	audience := k.Audience
	if audience == "" {
		audience = e.Issuer
	}
	return &signer{s, audience}, nil
}

// assertion is good for one request: its jti is used once (RFC 7523 section 3).
func (s *signer) assertion(clientID string, now time.Time) (credential.Secret, error) {
	text, err := jwt.Signed(s.Signer).Claims(jwt.Claims{
		Issuer: clientID, Subject: clientID, Audience: jwt.Audience{s.audience}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-assertionLife)), Expiry: jwt.NewNumericDate(now.Add(assertionLife)),
	}).Serialize()
	if err != nil {
		return credential.Secret{}, credential.Fail(credential.Misconfigured, "the client's key cannot sign", err)
	}
	return credential.NewSecret(text), nil
}

// usualAlgorithm is the one that a key of this kind signs with; of RSA's two the one that the server takes.
func usualAlgorithm(key crypto.Signer, supported []string) string {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return map[elliptic.Curve]string{elliptic.P256(): "ES256", elliptic.P384(): "ES384", elliptic.P521(): "ES512"}[key.Curve]
	case ed25519.PrivateKey:
		return "EdDSA"
	}
	if !slices.Contains(supported, "RS256") && slices.Contains(supported, "PS256") {
		return "PS256"
	}
	return "RS256"
}

// readKey reads a private key without a passphrase: PEM with PKCS#8, or the older forms of RSA and EC keys.
func readKey(path string) (crypto.Signer, error) {
	data, err := source.ReadFile(path, "client key file")
	if err != nil {
		return nil, err
	}
	fault := errors.New("there is no private key in it (PEM, PKCS#8)")
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			fault = errors.New("the key is encrypted with a passphrase; give one that is not, readable by you alone")
			continue
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if key := parseKey(block.Bytes); key != nil {
			return key, nil
		}
		fault = errors.New("its private key is not of a kind that can be used: RSA of 2048 bits or more, P-256, P-384, P-521, Ed25519")
	}
	return nil, credential.Fail(credential.Misconfigured, "the client key file cannot be used", fault)
}

func parseKey(der []byte) crypto.Signer {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		key, err = x509.ParsePKCS1PrivateKey(der)
	}
	if err != nil {
		key, err = x509.ParseECPrivateKey(der)
	}
	if err != nil {
		return nil
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() >= 2048 {
			return key
		}
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P224() {
			return key
		}
	case ed25519.PrivateKey:
		return key
	}
	return nil
}

// keyOf derives a data key from the private key.
func keyOf(path string, salt []byte) (credential.Secret, error) {
	key, err := readKey(path)
	if err != nil {
		return credential.Secret{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return credential.Secret{}, credential.Fail(credential.Misconfigured, "the client key file cannot be used", err)
	}
	return datakey.Derive(der, salt)
}

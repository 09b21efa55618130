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
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mcp-credential/mcp-credential/credential"
)

// keyFile writes a private key as PKCS#8, under another PEM type where one is given.
func keyFile(t *testing.T, key any, kind string) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if kind == "" {
		kind = "PRIVATE KEY"
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	text := append([]byte("\xef\xbb\xbfKey of the agent\r\n"), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// claimsOf is an assertion that the public half of key has verified.
func claimsOf(t *testing.T, form url.Values, key crypto.Signer, algorithm string) (jose.Header, jwt.Claims) {
	t.Helper()
	parsed, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(key.Public(), &claims); err != nil {
		t.Fatal(err)
	}
	return parsed.Headers[0], claims
}

// A client with a key proves itself at the token endpoint, with each kind of key, and again for every request.
func TestPrivateKeyJWT(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long := rsaKey(t, 2048)
	for name, c := range map[string]struct {
		key       crypto.Signer
		given     string
		supported []string
		want      string
	}{
		"RSA":                     {long, "", nil, "RS256"},
		"RSA where it must be PS": {long, "", []string{"PS256", "ES256"}, "PS256"},
		"PS256":                   {long, "PS256", nil, "PS256"},
		"P-256":                   {ecKey(t, elliptic.P256()), "", []string{"ES256"}, "ES256"},
		"P-384":                   {ecKey(t, elliptic.P384()), "", nil, "ES384"},
		"P-521":                   {ecKey(t, elliptic.P521()), "", nil, "ES512"},
		"Ed25519":                 {edKey, "", nil, "EdDSA"},
	} {
		s, a := newServer(t), newAsker(t)
		s.token = func(w http.ResponseWriter, _ url.Values, n int) {
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = io.WriteString(w, `{"access_token":"at-1","token_type":"Bearer","expires_in":3600}`)
		}
		m := Machine{Source: a.Source, Issuer: s.url, ClientID: "agent", KeyFile: credential.ClientKey{File: keyFile(t, c.key, ""), ID: "k1", Algorithm: c.given}}
		target := s.target()
		target.Endpoints.SigningAlgs = c.supported
		if _, err := m.Token(t.Context(), target); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		header, claims := claimsOf(t, s.requests[1], c.key, c.want)
		_, before := claimsOf(t, s.requests[0], c.key, c.want)
		form := s.requests[1]
		if header.KeyID != "k1" || claims.Issuer != "agent" || claims.Subject != "agent" || len(claims.Audience) != 1 || claims.Audience[0] != s.url ||
			!claims.Expiry.Time().After(a.now) || claims.Expiry.Time().Sub(a.now) > assertionLife || claims.ID == "" || claims.ID == before.ID {
			t.Errorf("%s: %+v %+v", name, header, claims)
		}
		if form.Get("client_assertion_type") != assertionType || form.Get("client_id") != "agent" || form.Has("client_secret") || s.basics[1] != ":" {
			t.Errorf("%s: the form has another way to authenticate", name)
		}
		if key, err := m.Key([]byte("salt")); err != nil || key.IsZero() {
			t.Errorf("%s: no data key: %v", name, err)
		}
	}
}

// A sign-in of a person uses the key too, when it begins and when it is refreshed.
func TestSignInWithKey(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	s, a, p := newServer(t), newAsker(t), newPerson(t)
	target := s.target()
	target.Key = credential.ClientKey{File: keyFile(t, key, ""), Audience: s.url + "/token"}
	got, err := a.Interactive(t.Context(), target, p)
	if err != nil || got.AuthMethod != "private_key_jwt" {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err = a.Silent(t.Context(), target, got.Grant, got.AuthMethod, func(credential.Grant) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, form := range s.requests {
		if _, claims := claimsOf(t, form, key, "ES256"); claims.Audience[0] != s.url+"/token" {
			t.Errorf("%+v", claims)
		}
	}
	s.answer(400, `{"error":"invalid_client","error_description":"`+"x"+`"}`)
	target.Key = credential.ClientKey{}
	_, err = a.Silent(t.Context(), target, got.Grant, got.AuthMethod, func(credential.Grant) error { return nil })
	check(t, err, credential.Misconfigured)
	if !strings.Contains(err.Error(), "config.toml lacks client_key_file") {
		t.Errorf("%v", err)
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := keyFile(t, ecKey(t, elliptic.P256()), "")
	for want, c := range map[string]struct {
		path      string
		algorithm string
		supported []string
	}{
		"cannot be used":                 {path: filepath.Join(t.TempDir(), "nowhere")},
		"it is empty":                    {path: write("\n")},
		"no private key in it":           {path: write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")},
		"encrypted with a passphrase":    {path: keyFile(t, ecKey(t, elliptic.P256()), "ENCRYPTED PRIVATE KEY")},
		"not of a kind that can be used": {path: keyFile(t, rsaKey(t, 1024), "")},
		"signs with ES256, which the authorization server does not take; it takes RS256": {path: good, supported: []string{"RS256"}},
		"cannot sign with RS256": {path: good, algorithm: "RS256"},
	} {
		_, err := newSigner(credential.ClientKey{File: c.path, Algorithm: c.algorithm}, credential.Endpoints{SigningAlgs: c.supported})
		if credential.KindOf(err) != credential.Misconfigured || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

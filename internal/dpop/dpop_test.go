package dpop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

var now = time.Unix(1562262616, 0)

func newKey(t *testing.T) credential.Secret {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func request(t *testing.T, method, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// read takes a proof apart and verifies its signature with the key in it, by the standard library alone.
func read(t *testing.T, proof string) (header, payload map[string]any) {
	t.Helper()
	parts := strings.Split(proof, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	for i, into := range []*map[string]any{&header, &payload} {
		if err := json.Unmarshal(decode(t, parts[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	jwk := header["jwk"].(map[string]any)
	point := append([]byte{4}, append(decode(t, jwk["x"].(string)), decode(t, jwk["y"].(string))...)...)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	sum, sig := sha256.Sum256([]byte(parts[0]+"."+parts[1])), decode(t, parts[2])
	if len(sig) != 64 || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		t.Fatal("the signature does not verify")
	}
	return header, payload
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The proof of a request with a token, with the token and the hash of RFC 9449 section 7.1.
func TestAuthorize(t *testing.T) {
	r := request(t, "POST", "https://resource.example.org/protected%2Fresource?q=1#f")
	token := credential.Token{Access: credential.NewSecret("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"), Type: credential.TypeDPoP, Key: newKey(t)}
	if err := Authorize(r, token, "eyJ7S_zG", now); err != nil {
		t.Fatal(err)
	}
	if got := r.Header.Get("Authorization"); got != "DPoP "+token.Access.Reveal() {
		t.Error(got)
	}
	header, payload := read(t, r.Header.Get("DPoP"))
	jwk := header["jwk"].(map[string]any)
	if len(header) != 3 || header["alg"] != "ES256" || header["typ"] != "dpop+jwt" || len(jwk) != 4 || jwk["kty"] != "EC" || jwk["crv"] != "P-256" {
		t.Errorf("header %v", header)
	}
	id, _ := payload["jti"].(string)
	delete(payload, "jti")
	want := map[string]any{
		"htm": "POST", "htu": "https://resource.example.org/protected%2Fresource", "iat": float64(now.Unix()),
		"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo", "nonce": "eyJ7S_zG",
	}
	if fmt.Sprint(payload) != fmt.Sprint(want) || len(id) < 22 {
		t.Errorf("payload %v, jti %q", payload, id)
	}
	text := fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, jwk["x"], jwk["y"]) // RFC 7638 section 3
	sum := sha256.Sum256([]byte(text))
	if got, err := Thumbprint(token.Key); err != nil || got != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("thumbprint %s, %v", got, err)
	}
}

// A proof for the token endpoint has no token, and no two are the same.
func TestProve(t *testing.T) {
	key, ids := newKey(t), map[any]bool{}
	for range 2 {
		r := request(t, "POST", "https://as.example")
		if err := Prove(r, key, credential.Secret{}, "", now); err != nil {
			t.Fatal(err)
		}
		_, payload := read(t, r.Header.Get("DPoP"))
		ids[payload["jti"]] = true
		if len(payload) != 4 || payload["htu"] != "https://as.example/" {
			t.Errorf("%v", payload)
		}
	}
	if len(ids) != 2 {
		t.Error("two proofs have one jti")
	}
}

// A bearer token, and none, need no key.
func TestBearer(t *testing.T) {
	r := request(t, "GET", "https://mcp.example/mcp")
	if err := Authorize(r, credential.Token{}, "n", now); err != nil || len(r.Header) != 0 {
		t.Errorf("%v %v", r.Header, err)
	}
	err := Authorize(r, credential.Token{Access: credential.NewSecret("at"), Type: "Bearer"}, "n", now)
	if err != nil || len(r.Header) != 1 || r.Header.Get("Authorization") != "Bearer at" {
		t.Errorf("%v %v", r.Header, err)
	}
}

// A damaged key is an error that does not quote it.
func TestDamagedKey(t *testing.T) {
	for _, text := range []string{"damaged-key", "", "AAAA", newKey(t).Reveal() + "A", strings.Repeat("_", 42) + "8"} {
		key := credential.NewSecret(text)
		err := Prove(request(t, "GET", "https://mcp.example"), key, credential.Secret{}, "", now)
		_, other := Thumbprint(key)
		if credential.KindOf(err) != credential.Internal || other == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v, %v", text, err, other)
		}
	}
	if key := newKey(t).Reveal(); len(key) != 43 {
		t.Errorf("a key has %d characters", len(key))
	}
}

func TestNonces(t *testing.T) {
	var n Nonces
	with := func(value string) http.Header { return http.Header{"Dpop-Nonce": {value}} }
	if n.For("https://a.example/x") != "" || n.Take("https://a.example/x", http.Header{}) != "" || n.Take("https://a.example/x", with(strings.Repeat("n", maxNonce+1))) != "" {
		t.Error("there is no nonce")
	}
	if n.Take("https://a.example/x", with("1")) != "1" || n.For("https://A.example:443/y?z") != "1" || n.For("https://b.example/x") != "" {
		t.Errorf("%v", n.newest)
	}
	n.Take("https://a.example/x", http.Header{})
	if n.Take("https://a.example", with("2")); n.For("https://a.example/x") != "2" {
		t.Errorf("%v", n.newest)
	}
}

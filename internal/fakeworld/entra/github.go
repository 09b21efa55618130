package entra

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// WorkloadIssuer is an issuer of tokens that vouch for a workload: GitHub, Azure DevOps, a Kubernetes cluster.
type WorkloadIssuer struct {
	Issuer, Subject string
	Bearer          string // what a job shows to get one
	Now             func() time.Time
	key             *rsa.PrivateKey

	mu       sync.Mutex
	requests int
	secrets  []string
}

// NewWorkloadIssuer makes one with a key of its own.
func NewWorkloadIssuer(issuer, subject string) (*WorkloadIssuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return &WorkloadIssuer{Issuer: issuer, Subject: subject, Bearer: "job." + rand.Text() + "." + rand.Text(), Now: time.Now, key: key}, err
}

// Federated is the credential by which a registration trusts it.
func (v *WorkloadIssuer) Federated() Federated {
	return Federated{Issuer: v.Issuer, Subject: v.Subject, Key: &v.key.PublicKey}
}

// Token signs a token for an audience, valid for five minutes as GitHub's are.
func (v *WorkloadIssuer) Token(audience string) string {
	now := v.Now()
	signed := part(map[string]any{"typ": "JWT", "alg": "RS256", "kid": "1"}) + "." + part(map[string]any{"iss": v.Issuer, "sub": v.Subject, "aud": audience,
		"jti": uuid(), "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()})
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, v.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(fmt.Sprintf("fakeworld/entra: %v", err))
	}
	token := signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secrets = append(v.secrets, token)
	return token
}

// Requests counts those that were made, refused ones too.
func (v *WorkloadIssuer) Requests() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.requests
}

// Secrets are the bearer and every token.
func (v *WorkloadIssuer) Secrets() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string{v.Bearer}, v.secrets...)
}

// shown counts a request and reports whether it shows the bearer.
func (v *WorkloadIssuer) shown(r *http.Request) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	return r.Header.Get("Authorization") == "Bearer "+v.Bearer
}

// GitHub serves ACTIONS_ID_TOKEN_REQUEST_URL: GET with the bearer of the job and an audience.
func (v *WorkloadIssuer) GitHub() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch q := r.URL.Query(); {
		case !v.shown(r):
			http.Error(rw, `{"message":"unauthorized"}`, http.StatusUnauthorized)
		case r.Method != http.MethodGet || len(q["audience"]) != 1 || q.Get("audience") == "" || q.Get("api-version") != "2.0":
			http.Error(rw, `{"message":"bad request"}`, http.StatusBadRequest)
		default:
			fakeworld.WriteJSON(rw, http.StatusOK, map[string]any{"count": 1, "value": v.Token(q.Get("audience"))})
		}
	})
}

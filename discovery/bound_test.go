package discovery

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
)

// Tokens are to be bound to a key where the server asks for that and its authorization server can do it.
func TestBound(t *testing.T) {
	asks := strings.Replace(goodPRM, `{`, `{"dpop_bound_access_tokens_required":true,`, 1)
	gives := strings.Replace(goodAS, `{`, `{"dpop_signing_alg_values_supported":["RS256","ES256"],`, 1)
	others := strings.Replace(goodAS, `{`, `{"dpop_signing_alg_values_supported":["RS256"],`, 1)
	for name, c := range map[string]struct {
		challenge, prm, as string
		want               bool
	}{
		"the metadata asks":             {"", asks, gives, true},
		"the metadata asks, for both":   {"Bearer, DPoP", asks, gives, true},
		"the challenge asks":            {`DPoP algs="ES256"`, goodPRM, gives, true},
		"it takes both":                 {`Bearer, DPoP algs="ES256"`, goodPRM, gives, false},
		"nobody asks":                   {"Bearer", goodPRM, gives, false},
		"nobody gives":                  {"DPoP", asks, goodAS, false},
		"only with another algorithm":   {"DPoP", asks, others, false},
		"nobody asks, by no challenge":  {"", goodPRM, gives, false},
		"the challenge is of no scheme": {"Negotiate", goodPRM, gives, false},
	} {
		s := &site{docs: map[string]string{prmPath: c.prm, asRoot: c.as}, challenge: c.challenge}
		if got, err := s.find(t); err != nil || got.Bound != c.want {
			t.Errorf("%s: %v, %v", name, got.Bound, err)
		}
	}
}

// A question of ours proves the key of its token, with the nonce that the server wants, and so does the end of its session.
func TestTryProves(t *testing.T) {
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var methods []string
	s := &site{mcp: func(w http.ResponseWriter, r *http.Request) {
		methods = append(methods, r.Method)
		if r.Header.Get("Authorization") != "DPoP at" || r.Header.Get("DPoP") == "" {
			t.Errorf("%s: %v", r.Method, r.Header)
		}
		w.Header().Set("DPoP-Nonce", "n")
		if len(methods)%2 == 1 {
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Mcp-Session-Id", "s")
	}}
	s.start(t)
	token := credential.Token{Access: credential.NewSecret("at"), Type: credential.TypeDPoP, Key: key, Obtained: time.Now()}
	r, err := finder(t).Try(t.Context(), s.url+"/mcp", token)
	if got := strings.Join(methods, " "); err != nil || r.Status != http.StatusOK || got != "POST POST DELETE DELETE" {
		t.Errorf("%+v %v, %s", r, err, got)
	}
}

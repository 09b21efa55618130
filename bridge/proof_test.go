package bridge

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
)

// proved is a token that is bound to a key.
func proved(t *testing.T, text string) credential.Token {
	t.Helper()
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	out := good(text)
	out.Type, out.Key = credential.TypeDPoP, key
	return out
}

// wants answers as a server that refuses a proof.
func wants(w http.ResponseWriter, code, nonce string) bool {
	w.Header().Set("WWW-Authenticate", `DPoP error="`+code+`"`)
	if nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	w.WriteHeader(http.StatusUnauthorized)
	return true
}

// A nonce that was learned serves until the server names another one, and no token is asked for because of it.
func TestNonceIsRemembered(t *testing.T) {
	var refused atomic.Int32
	seen := map[string]bool{}
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		if a.method == "GET" {
			return false
		}
		proof := a.header.Get("DPoP")
		if a.header.Get("Authorization") != "DPoP t" || proof == "" || seen[proof] {
			t.Errorf("%s: Authorization %q, proof %q", a.m.Method, a.header.Get("Authorization"), proof)
		}
		seen[proof] = true
		if refused.Load() == 0 {
			refused.Add(1)
			return wants(w, dpop.ErrNonce, "n")
		}
		return false
	})
	bound := proved(t, "t")
	v := &vault{give: func(token.Need, int) (credential.Token, error) { return bound, nil }}
	r := run(t, Config{URL: f.url(), Tokens: v})
	for i := range 5 {
		r.send(call1(strconv.Itoa(i), "x"))
		r.want(result(strconv.Itoa(i), "ok"))
	}
	if n := len(f.arrivals("POST tools/call")); n != 6 || len(v.refusals()) != 0 {
		t.Errorf("%d requests, asked for %v", n, v.refusals())
	}
}

// A proof that the server never takes is an error that says so, after a few requests and with the token left alone.
func TestProofIsNeverTaken(t *testing.T) {
	for _, code := range []string{dpop.ErrNonce, dpop.ErrProof} {
		n := 0
		f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
			if n++; a.header.Get("DPoP") == "" {
				return wants(w, "", "")
			}
			return wants(w, code, fmt.Sprint("nonce-", n))
		})
		bound := proved(t, "t")
		v := &vault{give: func(token.Need, int) (credential.Token, error) { return bound, nil }}
		r := run(t, Config{URL: f.url(), Tokens: v})
		r.send(call1("1", "x"))
		r.holds(`"id":1`, `"error"`, "the server takes no proof of the token's key ("+code+")")
		if got := len(f.arrivals("POST tools/call")); got != 4 || len(v.refusals()) != 0 {
			t.Errorf("%s: %d requests, asked for %v", code, got, v.refusals())
		}
	}
}

// Where the server moves a request to another address of its own, the proof is of that one; the server's stream is no exception.
func TestProofOfTheAddress(t *testing.T) {
	var streams atomic.Int32
	var f *fake
	f = serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(a.header.Get("DPoP")+"..", ".")[1])
		if want := `"htm":"` + r.Method + `","htu":"` + f.URL + r.URL.Path + `"`; err != nil || !strings.Contains(string(payload), want) {
			t.Errorf("%s %s: %s", r.Method, r.URL.Path, payload)
		}
		if r.URL.Path == "/mcp" || r.Method == "GET" && streams.Add(1) == 1 {
			http.Redirect(w, r, "/mcp/"+strconv.Itoa(int(streams.Load())), http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	bound := proved(t, "t")
	v := &vault{give: func(token.Need, int) (credential.Token, error) { return bound, nil }}
	r := run(t, Config{URL: f.url(), Tokens: v})
	r.hello("{}")
	r.send(call1("1", "x"))
	r.want(result("1", "ok"))
	eventually(t, "the stream", func() bool { return streams.Load() == 2 })
}

// A server that takes no bearer token is said to be one to whoever brings the next token.
func TestBearerTokenWhereAKeyIsWanted(t *testing.T) {
	bound := proved(t, "bound")
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		return a.header.Get("DPoP") == "" && wants(w, "invalid_token", "")
	})
	v := &vault{give: func(n token.Need, _ int) (credential.Token, error) {
		if n.Challenge.Scheme == discovery.SchemeDPoP {
			return bound, nil
		}
		return good("bearer"), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v})
	r.send(call1("1", "x"))
	r.want(result("1", "ok"))
}

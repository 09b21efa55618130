package entra

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

const wellKnown = "/.well-known/oauth-protected-resource"

// resourceRoutes are the MCP servers with metadata as they are typical of Entra; below each, /ping answers an
// authorized request with the fakeworld.Caller as JSON.
func (w *World) resourceRoutes() http.Handler {
	mux := http.NewServeMux()
	for n := 1; n <= w.opt.Servers; n++ {
		mux.HandleFunc(path(n), w.protect(n, w.opt.MCP))
		mux.HandleFunc(path(n)+"/ping", w.protect(n, nil))
		mux.HandleFunc(wellKnown+path(n), func(rw http.ResponseWriter, _ *http.Request) {
			fakeworld.WriteJSON(rw, http.StatusOK, w.metadata(n))
		})
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.count(r.Method + " " + r.URL.Path)
		mux.ServeHTTP(rw, r)
	})
}

func (w *World) metadata(n int) map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fakeworld.Override(map[string]any{"resource": w.ServerURL(n), "scopes_supported": []string{Scope(n)},
		"authorization_servers": []string{Issuer}, "bearer_methods_supported": []string{"header"}}, w.knobs.Metadata[path(n)])
}

func (w *World) protect(n int, next http.Handler) http.HandlerFunc {
	if next == nil {
		next = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			fakeworld.WriteJSON(rw, http.StatusOK, fakeworld.CallerFrom(r.Header))
		})
	}
	return func(rw http.ResponseWriter, r *http.Request) {
		caller, outcome, challenge := w.judge(n, r)
		if outcome != fakeworld.MCPOK {
			rw.Header().Set("WWW-Authenticate", challenge)
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		caller.Set(r.Header)
		next.ServeHTTP(rw, r)
	}
}

// judge looks a request's token up; the challenge is for the outcomes that are not MCPOK.
func (w *World) judge(n int, r *http.Request) (caller fakeworld.Caller, outcome, challenge string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.stats.MCP[outcome]++ }()
	challenge = `Bearer resource_metadata="` + w.origin + wellKnown + path(n) + `"`
	_, value, found := strings.Cut(r.Header.Get("Authorization"), "Bearer ")
	a := w.tokenStore.access[value]
	switch {
	case !found:
		return caller, fakeworld.MCPNoToken, challenge
	case a == nil:
		return caller, fakeworld.MCPUnknown, challenge + `, error="invalid_token"`
	case a.app.uri != AppURI(n):
		return caller, fakeworld.MCPWrongResource, challenge + `, error="invalid_token"`
	case w.now().After(a.expiry):
		return caller, fakeworld.MCPExpired, challenge + `, error="invalid_token"`
	}
	for name := range accessClaims(w.knobs.Claims) {
		if a.claims[name] == nil {
			return caller, "insufficient_claims", ClaimsChallenge(w.knobs.Claims)
		}
	}
	return fakeworld.Caller{Subject: a.session.user, ClientID: a.session.client, Resource: a.app.uri, Scopes: a.scopes, Serial: a.serial}, fakeworld.MCPOK, ""
}

// ClaimsChallenge is the WWW-Authenticate value that asks for claims (JSON), as a resource server of Entra's sends it.
func ClaimsChallenge(claims string) string {
	return `Bearer realm="", authorization_uri="https://` + Host + `/common/oauth2/authorize", error="insufficient_claims", claims="` +
		base64.StdEncoding.EncodeToString([]byte(claims)) + `"`
}

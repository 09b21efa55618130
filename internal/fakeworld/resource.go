package fakeworld

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Caller describes who is behind an authorized request. It travels to Options.MCP in the Caller headers below, which
// the World sets itself and takes off whatever comes in.
type Caller struct {
	Subject  string   `json:"subject"`
	ClientID string   `json:"client_id"`
	Resource string   `json:"resource"`
	Scopes   []string `json:"scopes"`
	Serial   int      `json:"serial"` // of the access token: 1 for the first that was issued
}

// The headers of a Caller.
const (
	headerSubject  = "Fakeworld-Subject"
	headerClient   = "Fakeworld-Client"
	headerResource = "Fakeworld-Resource"
	headerScopes   = "Fakeworld-Scopes"
	headerSerial   = "Fakeworld-Serial"
)

// Set puts the Caller into the headers of a request for Options.MCP.
func (c Caller) Set(h http.Header) {
	h.Set(headerSubject, c.Subject)
	h.Set(headerClient, c.ClientID)
	h.Set(headerResource, c.Resource)
	h.Set(headerScopes, strings.Join(c.Scopes, " "))
	h.Set(headerSerial, strconv.Itoa(c.Serial))
}

// CallerFrom reads the Caller from the headers of a request that Options.MCP was given.
func CallerFrom(h http.Header) Caller {
	serial, _ := strconv.Atoi(h.Get(headerSerial))
	return Caller{Subject: h.Get(headerSubject), ClientID: h.Get(headerClient), Resource: h.Get(headerResource),
		Scopes: strings.Fields(h.Get(headerScopes)), Serial: serial}
}

// resourceRoutes are the protected servers and their metadata (RFC 9728). Below each server, /ping answers an
// authorized GET or POST with the Caller as JSON.
func (w *World) resourceRoutes() *http.ServeMux {
	const wellKnown = "/.well-known/oauth-protected-resource"
	mux := http.NewServeMux()
	for _, path := range w.opt.Paths {
		mux.HandleFunc(path, w.faulty(OnMCP, w.protect(path, w.opt.MCP)))
		mux.HandleFunc(path+"/ping", w.faulty(OnMCP, w.protect(path, nil)))
		if !w.opt.RootOnly {
			mux.HandleFunc(wellKnown+path, w.faulty(OnResourceMetadata, w.serveResourceMetadata(path)))
		}
	}
	if w.opt.RootOnly {
		mux.HandleFunc(wellKnown, w.faulty(OnResourceMetadata, w.serveResourceMetadata("")))
	}
	mux.HandleFunc("/", w.faulty("", http.NotFound))
	return mux
}

// resourceAt is the resource identifier of the server at path.
func (w *World) resourceAt(path string) string {
	if w.opt.RootOnly {
		return w.origin
	}
	return w.origin + path
}

func (w *World) resources() []string {
	var out []string
	for _, p := range w.opt.Paths {
		out = append(out, w.resourceAt(p))
	}
	return out
}

func (w *World) serveResourceMetadata(path string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		w.mu.Lock()
		doc := map[string]any{
			"resource":                 w.resourceAt(path),
			"authorization_servers":    []string{w.issuer},
			"scopes_supported":         w.opt.Scopes,
			"bearer_methods_supported": []string{"header"},
			"resource_name":            "Fake MCP server",
		}
		if w.opt.DPoP {
			doc["dpop_bound_access_tokens_required"] = true
		}
		doc = Override(doc, w.knobs.ResourceMetadata)
		w.mu.Unlock()
		WriteJSON(rw, http.StatusOK, doc)
	}
}

// protect lets requests with a good token for the server at path through to next.
func (w *World) protect(path string, next http.Handler) http.HandlerFunc {
	if next == nil {
		next = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			WriteJSON(rw, http.StatusOK, CallerFrom(r.Header))
		})
	}
	return func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		caller, outcome := w.judge(path, r)
		w.stats.MCP[outcome]++
		challenge, status := w.challenge(path, outcome)
		if w.opt.DPoP {
			rw.Header().Set("DPoP-Nonce", w.newNonce(nonceOfResource))
		}
		w.mu.Unlock()
		if outcome != MCPOK {
			rw.Header().Set("WWW-Authenticate", challenge)
			rw.WriteHeader(status)
			return
		}
		caller.Set(r.Header)
		r.Header.Del("Authorization")
		next.ServeHTTP(rw, r)
	}
}

// judge looks the token of a request up. The caller holds w.mu.
func (w *World) judge(path string, r *http.Request) (Caller, string) {
	values := r.Header.Values("Authorization")
	if r.URL.Query().Has("access_token") || len(values) > 1 {
		return Caller{}, MCPMalformed
	}
	if len(values) == 0 {
		return Caller{}, MCPNoToken
	}
	scheme, value, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") && !w.opt.DPoP || !credential.CheckBearer(value) {
		return Caller{}, MCPMalformed
	}
	key, outcome := w.proveAccess(r, scheme, value)
	if outcome != "" {
		return Caller{}, outcome
	}
	a := w.tokenStore.access[value]
	switch {
	case a == nil:
		return Caller{}, MCPUnknown
	case a.grant.key != key:
		return Caller{}, MCPKey
	case a.grant.aimless || a.grant.resource != w.resourceAt(path):
		return Caller{}, MCPWrongResource
	case a.grant.revoked:
		return Caller{}, MCPRevoked
	case a.ended || w.now().After(a.expiry):
		return Caller{}, MCPExpired
	case !credential.HasScopes(a.scopes, w.knobs.RequireScopes):
		return Caller{}, MCPScope
	}
	return Caller{Subject: a.grant.subject, ClientID: a.grant.client.ID, Resource: a.grant.resource,
		Scopes: slices.Clone(a.scopes), Serial: a.serial}, MCPOK
}

// challenge is the WWW-Authenticate value (RFC 6750 section 3, RFC 9728 section 5.1) and status for an outcome.
func (w *World) challenge(path, outcome string) (string, int) {
	status, scopes, code := http.StatusUnauthorized, w.knobs.ChallengeScopes, ""
	switch outcome {
	case MCPNoToken:
	case MCPMalformed:
		status, code = http.StatusBadRequest, "invalid_request"
	case MCPScope:
		status, code, scopes = http.StatusForbidden, "insufficient_scope", w.knobs.RequireScopes
	case MCPProof:
		code = "invalid_dpop_proof"
	case MCPNonce:
		code = "use_dpop_nonce"
	default:
		code = "invalid_token"
	}
	if w.knobs.Challenge != "" {
		return w.knobs.Challenge, status
	}
	if scopes == nil {
		scopes = w.defaultScopes()
	}
	if w.opt.RootOnly {
		path = ""
	}
	scheme := "Bearer"
	if w.opt.DPoP {
		scheme = `DPoP algs="ES256",`
	}
	value := scheme + ` resource_metadata="` + w.origin + "/.well-known/oauth-protected-resource" + path + `", scope="` + strings.Join(scopes, " ") + `"`
	if code != "" {
		value += `, error="` + code + `"`
	}
	return value, status
}

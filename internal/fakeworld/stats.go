package fakeworld

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
)

// Stats are what the World was asked since it started, or since they were reset.
type Stats struct {
	HTTP    map[string]int `json:"http"`     // requests to any listener but the control's, by "METHOD /path"
	Token   map[string]int `json:"token"`    // token requests that were processed, by grant_type
	TokenOK map[string]int `json:"token_ok"` // those that got a token
	MCP     map[string]int `json:"mcp"`      // requests to the protected servers, by outcome (see the MCP constants)

	Registrations  int `json:"registrations"`
	Authorizations int `json:"authorizations"` // codes handed out
	Revocations    int `json:"revocations"`    // tokens revoked at the client's request
	Reuse          int `json:"reuse"`          // spent codes and refresh tokens presented again
	GrantsRevoked  int `json:"grants_revoked"`

	TokenRequests     []TokenRequest `json:"token_requests"`     // in order
	AuthorizeRequests []url.Values   `json:"authorize_requests"` // in order
	RegisterRequests  []Client       `json:"register_requests"`  // in order
}

// TokenRequest is what a token request said, its secrets left out.
type TokenRequest struct {
	Grant      string     `json:"grant_type"`
	ClientID   string     `json:"client_id"`
	AuthMethod string     `json:"auth_method"` // how the client authenticated
	Params     url.Values `json:"params"`
	Error      string     `json:"error,omitempty"` // the OAuth error code it got
}

// The outcomes of requests to a protected server.
const (
	MCPOK            = "ok"
	MCPNoToken       = "no_token"
	MCPUnknown       = "unknown"        // a token nobody has issued
	MCPExpired       = "expired"        // its time is over, or ExpireAccess was called
	MCPRevoked       = "revoked"        // its grant is dead
	MCPWrongResource = "wrong_resource" // issued for another server
	MCPScope         = "insufficient_scope"
	MCPMalformed     = "malformed" // a token in the query, a second header, another scheme
	MCPNoProof       = "no_proof"  // a bearer token where Options.DPoP demands a proof of its key
	MCPProof         = "proof"     // a bad proof
	MCPNonce         = "nonce"     // a good proof with a nonce that is not, or is no longer, one of the server's
	MCPKey           = "key"       // a good proof of another key than the token's
)

// secretParams never appear in Stats.
var secretParams = []string{"code", "code_verifier", "refresh_token", "client_secret", "device_code", "token", "client_assertion"}

// NewStats returns counts of nothing.
func NewStats() Stats {
	return Stats{HTTP: map[string]int{}, Token: map[string]int{}, TokenOK: map[string]int{}, MCP: map[string]int{}}
}

// Stats returns a copy of the counts.
func (w *World) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats.Clone()
}

// Clone returns a copy that shares nothing that changes.
func (s Stats) Clone() Stats {
	s.HTTP, s.Token, s.TokenOK, s.MCP = maps.Clone(s.HTTP), maps.Clone(s.Token), maps.Clone(s.TokenOK), maps.Clone(s.MCP)
	s.TokenRequests = slices.Clone(s.TokenRequests)
	s.AuthorizeRequests = slices.Clone(s.AuthorizeRequests)
	s.RegisterRequests = slices.Clone(s.RegisterRequests)
	return s
}

// ResetStats starts counting anew.
func (w *World) ResetStats() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats = NewStats()
}

// Secrets are every token, code, verifier and client secret that the World has handed out or been shown: a test greps
// logs, files and outputs for them.
func (w *World) Secrets() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.tokenStore.secrets))
}

// countToken records a token request; the caller holds w.mu.
func (w *World) countToken(form url.Values, client, method string, oe *oauthError) {
	req := TokenRequest{Grant: form.Get("grant_type"), ClientID: client, AuthMethod: method}
	if oe != nil {
		req.Error = oe.code
	}
	for _, secret := range w.stats.Count(req, form) {
		w.tokenStore.secrets[secret] = true
	}
}

// Count counts a token request, whose parameters are those of form without the secrets, which it returns.
func (s *Stats) Count(req TokenRequest, form url.Values) (secrets []string) {
	req.Params = maps.Clone(form)
	for _, p := range secretParams {
		if v := form.Get(p); v != "" {
			secrets = append(secrets, v)
		}
		delete(req.Params, p)
	}
	s.Token[req.Grant]++
	if req.Error == "" {
		s.TokenOK[req.Grant]++
	}
	s.TokenRequests = append(s.TokenRequests, req)
	return secrets
}

// JSON is the form in which /_stats serves them.
func (s Stats) JSON() []byte {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("fakeworld: stats that JSON cannot express")
	}
	return append(data, '\n')
}

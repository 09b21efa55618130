package fakeworld

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// Behaviour are what the World says and does, changeable while it runs. The zero Behaviour is good behaviour. The maps hold
// fields that replace those of the honest document; null (nil) removes one.
type Behaviour struct {
	Faults []Fault `json:"faults,omitempty"`

	Metadata         map[string]any    `json:"metadata,omitempty"`          // of the authorization server (RFC 8414)
	ResourceMetadata map[string]any    `json:"resource_metadata,omitempty"` // of the protected servers (RFC 9728)
	Token            map[string]any    `json:"token,omitempty"`             // of a successful token response
	Registration     map[string]any    `json:"registration,omitempty"`      // of a successful registration
	Redirect         map[string]any    `json:"redirect,omitempty"`          // of the redirect back: state, iss, code
	Challenge        string            `json:"challenge,omitempty"`         // the whole WWW-Authenticate value
	ChallengeScopes  []string          `json:"challenge_scopes,omitempty"`  // scope of the challenge; none: Options.Scopes
	RequireScopes    []string          `json:"require_scopes,omitempty"`    // a token without these gets 403 (step-up)
	User             string            `json:"user,omitempty"`              // who signs in without a login_hint; empty: alice
	Deny             string            `json:"deny,omitempty"`              // error code that authorization requests get
	Ask              bool              `json:"ask,omitempty"`               // a page with one button before the redirect
	Device           string            `json:"device,omitempty"`            // approve or deny: no person is needed
	ClientDocuments  map[string]Client `json:"client_documents,omitempty"`  // client id metadata documents by URL
	Skew             Duration          `json:"skew,omitempty"`              // the server's clock is this far ahead
}

// Duration is a time.Duration that is written as "1.5s" in JSON.
type Duration time.Duration

// MarshalText writes the duration as time.Duration.String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration accepts.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Set lets change turn the knobs. The Behaviour it sees are a copy that takes effect, whole, when it returns; it must not
// call methods of w.
func (w *World) Set(change func(*Behaviour)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.knobs.clone()
	change(&k)
	w.knobs = k.clone()
}

// clone copies by way of JSON, so that what Go can set, a test in another process can set too.
func (k Behaviour) clone() Behaviour {
	data, err := json.Marshal(k)
	if err != nil {
		panic(fmt.Sprintf("fakeworld: knobs that JSON cannot express: %v", err))
	}
	var out Behaviour
	if err := json.Unmarshal(data, &out); err != nil {
		panic(fmt.Sprintf("fakeworld: knobs that JSON cannot express: %v", err))
	}
	return out
}

// Override returns doc with the fields of changes set, or removed where they are nil.
func Override(doc, changes map[string]any) map[string]any {
	out := maps.Clone(doc)
	for k, v := range changes {
		out[k] = v
		if v == nil {
			delete(out, k)
		}
	}
	return out
}

// RevokeAll ends every grant: refresh tokens get invalid_grant, access tokens 401.
func (w *World) RevokeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.tokenStore.grants {
		w.revoke(g)
	}
}

// ExpireAccess makes the protected servers refuse every access token issued so far, whatever its expiry says.
func (w *World) ExpireAccess() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.tokenStore.access {
		a.ended = true
	}
}

// ApproveDevices approves every device code that waits for a person.
func (w *World) ApproveDevices() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.tokenStore.devices {
		d.state = deviceApproved
	}
}

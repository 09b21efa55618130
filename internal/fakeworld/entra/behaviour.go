package entra

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// Behaviour are what the World says and does, changeable while it runs. The zero Behaviour is good behaviour.
type Behaviour struct {
	Refuse     []Refuse                  `json:"refuse,omitempty"`      // token requests that are refused, first fit
	MFA        bool                      `json:"mfa,omitempty"`         // refresh tokens without a second factor get 50076 and claims
	Claims     string                    `json:"claims,omitempty"`      // MCP servers demand a token with these claims (JSON)
	Metadata   map[string]map[string]any `json:"metadata,omitempty"`    // by server path: replaces members of its metadata
	Token      map[string]any            `json:"token,omitempty"`       // replaces members of token responses
	AccessBody map[string]any            `json:"access_body,omitempty"` // adds claims to access tokens, such as cnf
	User       string                    `json:"user,omitempty"`        // who signs in without a login_hint
	Deny       string                    `json:"deny,omitempty"`        // OAuth error of authorization requests
	Device     string                    `json:"device,omitempty"`      // approve or deny
	Skew       fakeworld.Duration        `json:"skew,omitempty"`        // the server's clock is this far ahead
}

// Refuse is a refusal that a test wants.
type Refuse struct {
	Code       int    `json:"code"`                  // AADSTS number; 429, 500 and the like are HTTP statuses
	Grant      string `json:"grant,omitempty"`       // only this grant_type
	Scope      string `json:"scope,omitempty"`       // only requests whose scope holds this
	Times      int    `json:"times,omitempty"`       // 0: until it is removed
	RetryAfter string `json:"retry_after,omitempty"` // the header
}

// Set lets change turn the knobs; it must not call methods of w.
func (w *World) Set(change func(*Behaviour)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.knobs)
}

// command is the body of POST /_control; knobs are laid over the present ones, and a null member clears one.
type command struct {
	Behaviour      json.RawMessage `json:"knobs"`
	RevokeAll      bool            `json:"revoke_all"`
	ExpireAccess   bool            `json:"expire_access"`
	ApproveDevices bool            `json:"approve_devices"`
	ResetStats     bool            `json:"reset_stats"`
}

func (w *World) controlRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_control", func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 1<<20))
		if err == nil {
			err = w.Control(body)
		}
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("GET /_stats", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(w.Stats().JSON()) })
	mux.HandleFunc("GET /_secrets", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, strings.Join(w.Secrets(), "\n")+"\n")
	})
	return mux
}

// Control obeys the JSON body of a POST /_control.
func (w *World) Control(body []byte) error {
	var c command
	if err := fakeworld.StrictJSON(body, &c); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Behaviour != nil {
		var named struct{ Refuse json.RawMessage }
		if json.Unmarshal(c.Behaviour, &named) == nil && named.Refuse != nil {
			w.knobs.Refuse = nil // encoding/json would leave old members in reused elements (golang.org/issue/21092)
		}
		if err := fakeworld.StrictJSON(c.Behaviour, &w.knobs); err != nil {
			return err
		}
	}
	if c.RevokeAll {
		w.tokenStore.revoke()
	}
	if c.ExpireAccess {
		clear(w.tokenStore.access)
	}
	if c.ApproveDevices {
		w.tokenStore.approveDevices()
	}
	if c.ResetStats {
		w.stats = fakeworld.NewStats()
	}
	return nil
}

// Stats returns a copy of the counts.
func (w *World) Stats() fakeworld.Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats.Clone()
}

// ResetStats starts counting anew.
func (w *World) ResetStats() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats = fakeworld.NewStats()
}

// Secrets are every token, code and verifier that the World has handed out or been shown.
func (w *World) Secrets() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.tokenStore.secrets))
}

// wanted takes the refusal that a test wants for a token request, if any. The caller holds w.mu.
func (w *World) wanted(grant, scope string) *Refuse {
	at := slices.IndexFunc(w.knobs.Refuse, func(r Refuse) bool {
		return (r.Grant == "" || r.Grant == grant) && strings.Contains(scope, r.Scope)
	})
	if at < 0 {
		return nil
	}
	r := w.knobs.Refuse[at]
	if r.Times > 0 {
		if w.knobs.Refuse[at].Times--; w.knobs.Refuse[at].Times == 0 {
			w.knobs.Refuse = slices.Delete(w.knobs.Refuse, at, at+1)
		}
	}
	return &r
}

package helper

import (
	"context"
	"errors"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// Line is what status tells about one account of one server. It holds no secret.
type Line struct {
	Server          string         `json:"server"`
	Name            string         `json:"name"`
	Account         string         `json:"account,omitempty"`
	User            string         `json:"user,omitempty"`
	Identity        string         `json:"identity,omitempty"` // kind of a machine identity; empty: a sign-in
	Issuer          string         `json:"issuer,omitempty"`
	Resource        string         `json:"resource,omitempty"`
	ClientID        string         `json:"client_id,omitempty"`
	Scopes          []string       `json:"scopes_approved"`
	Granted         []string       `json:"scopes_granted"`
	ApprovedAt      time.Time      `json:"approved_at"`
	ApprovedBy      string         `json:"approved_by"`
	ForwardedTo     []string       `json:"forwarded_to,omitempty"` // machines that may have its tokens over a forward
	State           string         `json:"state"`                  // see Line states
	Expiry          time.Time      `json:"token_expires_at,omitzero"`
	RefreshObtained time.Time      `json:"refresh_token_obtained_at,omitzero"`
	RefreshExpires  time.Time      `json:"refresh_token_expires_at,omitzero"`
	HasRefresh      bool           `json:"has_refresh_token"`
	Bound           bool           `json:"key_bound,omitempty"` // the tokens are bound to a key, which the bridge alone proves
	Keychain        string         `json:"keychain"`
	HotKey          string         `json:"hot_key"`
	LastRefresh     time.Time      `json:"last_refresh_at,omitzero"`
	LastError       *state.Failure `json:"last_error,omitempty"`
	NextTry         time.Time      `json:"next_try_at,omitzero"`
}

// Line states: what the next get will find.
const (
	StateValid   = "valid"   // a token is cached
	StateExpired = "expired" // the next get refreshes
	StateNone    = "no-token"
	StateDead    = "signed-out" // only a person can help
	StateSealed  = "sealed"     // the keychain would have to be asked to know
)

// reports tells what is known of a sign-in.
type reports struct{ *Helper }

// Status reports the state of every account of a server, of every known one where url is empty. It asks the cache, not the keychain,
// and never waits. With a URL, no record of another server is read.
func (h *Helper) Status(_ context.Context, url string) ([]Line, error) {
	servers, err := records{h}.servers(url)
	lines := []Line{}
	for _, server := range servers {
		for _, a := range server.Accounts {
			line, lerr := reports{h}.line(server, a)
			line.ForwardedTo = Forwards{h}.to(server.URL)
			err = errors.Join(err, lerr)
			lines = append(lines, line)
		}
	}
	for _, m := range (records{h}).machinesAt(url) {
		lines = append(lines, reports{h}.machineLine(m))
	}
	return lines, err
}

// servers returns the record of a server, none for an unknown one, or all where url is empty.
func (h records) servers(url string) ([]state.Server, error) {
	if url == "" {
		return h.Records.Servers()
	}
	s, err := h.Records.Server(url)
	switch {
	case errors.Is(err, state.ErrNone):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return []state.Server{s}, nil
}

// machineLine reports the state of a machine identity. A token under a derived key counts as sealed: only the identity itself
// can open it.
func (h reports) machineLine(m state.Machine) Line {
	l := Line{
		Server: m.Server, Name: hostOf(m.Server), Identity: m.Kind, Issuer: m.Endpoints.Issuer, Resource: m.Resource, ClientID: m.ClientID,
		Scopes: notNil(m.Scopes), Granted: notNil(m.Granted), ApprovedAt: m.Created, ApprovedBy: "environment, flags or configuration",
		Keychain: m.Tier, HotKey: h.Cache.Tier(), LastRefresh: m.LastRefresh, LastError: m.LastError, State: StateNone,
	}
	if m.Kind == ForwardedKind {
		l.ApprovedBy = "the machine at the other end of a forward"
	}
	if m.Resting(h.Now()) {
		l.NextTry = m.NextTry
	}
	if m.Place == placeNone {
		return l
	}
	t, err := h.Cache.Token(m.ID, m.Token)
	l.Expiry, l.State = t.Expiry, h.lineState(m.SignIn, t, err)
	return l
}

func (h reports) line(server state.Server, a state.Account) (Line, error) {
	tokenID := credential.TokenID(a.SignIn, server.URL, server.Resource, a.Scopes)
	si, err := h.Records.SignIn(a.SignIn)
	si = si.For(tokenID)
	granted := si.Granted
	if si.Unbound { // those of another server, perhaps
		granted = a.Scopes
	}
	l := Line{
		Server: server.URL, Name: server.Name, Account: a.Label, User: si.User, Issuer: server.Issuer, Resource: server.Resource,
		ClientID: si.ClientID, Scopes: notNil(a.Scopes), Granted: notNil(granted), ApprovedAt: server.ApprovedAt, ApprovedBy: server.ApprovedBy,
		RefreshObtained: si.RefreshObtained, RefreshExpires: si.RefreshExpires, HasRefresh: err == nil && !si.NoRefresh, Bound: si.Proof,
		Keychain: si.Tier, HotKey: h.Cache.Tier(), LastRefresh: si.LastRefresh, LastError: si.LastError,
	}
	if si.Resting(h.Now()) {
		l.NextTry = si.NextTry
	}
	if errors.Is(err, state.ErrNone) {
		l.State = StateDead
		return l, nil
	}
	t, terr := h.Cache.Token(si.ID, tokenID)
	l.Expiry, l.State = t.Expiry, h.lineState(si, t, terr)
	if l.State == StateSealed && !si.Expiry.IsZero() {
		if l.Expiry = si.Expiry; !h.Now().Before(si.Expiry) {
			l.State = h.lineState(si, credential.Token{}, nil)
		}
	}
	return l, err
}

func (h reports) lineState(si state.SignIn, t credential.Token, err error) string {
	switch {
	case err == nil && t.Valid(h.Now()):
		return StateValid
	case errors.Is(err, cache.ErrNoKey):
		return StateSealed
	case si.Dead != nil || si.NoRefresh:
		return StateDead
	case err == nil:
		return StateExpired
	}
	return StateNone
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

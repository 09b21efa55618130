package fakeworld

import (
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// tokenStore is the authorization server's memory. Its tokens are opaque: what they mean is here alone. World.mu guards it.
type tokenStore struct {
	clients    map[string]*Client
	assertions map[string]bool           // jti of those that were seen
	pending    map[string]*authorization // authorization requests that wait for a button, by a random id
	codes      map[string]*code
	devices    map[string]*device
	grants     []*grant
	refresh    map[string]*refreshToken
	access     map[string]*accessToken
	secrets    map[string]bool
}

// grant is what one person has allowed one client: the unit that is revoked.
type grant struct {
	client   *Client
	subject  string
	scopes   []string
	resource string
	nonce    string
	key      string // thumbprint of the key that its tokens are bound to; empty: none
	online   bool   // the authorization request lacked Options.OfflineParam
	aimless  bool   // and Options.NeedParam
	revoked  bool
}

type refreshToken struct {
	grant  *grant
	expiry time.Time // zero: none
	spent  bool
}

type accessToken struct {
	grant  *grant
	scopes []string
	expiry time.Time
	ended  bool
	serial int
}

func newTokenStore(o Options) tokenStore {
	l := tokenStore{
		clients: map[string]*Client{}, assertions: map[string]bool{}, pending: map[string]*authorization{}, codes: map[string]*code{},
		devices: map[string]*device{}, refresh: map[string]*refreshToken{}, access: map[string]*accessToken{},
		secrets: map[string]bool{ConfidentialSecret: true},
	}
	for _, c := range wellKnownClients(o) {
		l.clients[c.ID] = &c
	}
	return l
}

// secret makes an opaque random value and remembers it for Secrets. The prefix tells what it is to whoever finds one
// where it should not be.
func (l *tokenStore) secret(prefix string) string {
	s := prefix + rand.Text()
	l.secrets[s] = true
	return s
}

// revoke ends a grant; the caller holds w.mu.
func (w *World) revoke(g *grant) {
	if !g.revoked {
		g.revoked = true
		w.stats.GrantsRevoked++
	}
}

// Issued is what Issue hands out.
type Issued struct {
	Access  credential.Secret
	Refresh credential.Secret // empty where the World gives none
	Expiry  time.Time
}

// Issue gives a client tokens for a server without any ceremony, as if subject had just signed in. No scopes means all
// of Options.Scopes.
func (w *World) Issue(clientID, server, subject string, scopes ...string) (Issued, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	client := w.tokenStore.clients[clientID]
	if client == nil || !slices.Contains(w.resources(), server) {
		return Issued{}, errors.New("fakeworld: no such client or server")
	}
	if len(scopes) == 0 {
		scopes = w.opt.Scopes
	}
	g := w.newGrant(client, subject, server, scopes)
	doc := w.tokens(g, scopes, w.wantsRefresh(g))
	refresh, _ := doc["refresh_token"].(string)
	return Issued{
		Access:  credential.NewSecret(doc["access_token"].(string)),
		Refresh: credential.NewSecret(refresh),
		Expiry:  w.now().Add(w.opt.AccessTTL),
	}, nil
}

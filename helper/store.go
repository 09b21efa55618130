package helper

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// StoredSource is the source name of sign-ins that hold nothing to refresh from.
const StoredSource = "stored"

// Import is what a host obtained elsewhere and asks us to keep.
type Import struct {
	Query    credential.Query
	Access   credential.Secret
	Bearer   bool // the caller said that the access token is a Bearer token
	Expiry   time.Time
	Refresh  credential.Secret
	Issuer   string // of the refresh token
	ClientID string // of the refresh token
	Ours     bool   // it carries our own state: our answer coming back
}

// imports takes over what a host obtained elsewhere.
type imports struct{ *Helper }

// Store keeps an import. Our own answer coming back, and everything that is neither a Bearer token nor a refresh token
// with its issuer and client (git offers other people's passwords to every helper), changes nothing.
func (h *Helper) Store(ctx context.Context, g Import) error {
	refreshable := !g.Refresh.IsZero() && g.Issuer != "" && g.ClientID != ""
	switch {
	case g.Ours, g.Query.OriginOf:
		h.Trace("store: nothing new")
		return nil
	case !refreshable && !(g.Bearer && !g.Access.IsZero()):
		h.Trace("store: neither a Bearer token nor a refresh token with its issuer and client; left alone")
		return nil
	}
	if err := h.Records.Writable(); err != nil {
		return err
	}
	if s, err := h.resolve(g.Query); err == nil && !refreshable {
		if s.signIn.Proof {
			return fail(credential.KeyBound, s.server.URL, "the tokens for "+s.server.URL+" are bound to the key of its sign-in (DPoP), and this one is not")
		}
		return imports{h}.storeAccess(ctx, s, g)
	}
	return imports{h}.storeGrant(ctx, g, refreshable)
}

// storeAccess puts an access token beside a sign-in that is there already.
func (h imports) storeAccess(ctx context.Context, s resolved, given Import) error {
	return h.locked(ctx, s.signIn.ID, credential.LockWait, func() error {
		if _, err := records(h).latest(s); err != nil {
			return err
		}
		t, err := tokens(h).read(ctx, s)
		if err == nil && t.Access.Equal(given.Access) {
			h.Trace("store: that token is the cached one")
			return nil
		}
		g, err := h.grant(ctx, s.signIn)
		if err != nil {
			return noItem(s, err)
		}
		t = h.given(s, given)
		if err := noTier(h.Cache.Keep(g.DataKey, s.signIn.ID, s.tokenID, t)); err != nil {
			return err
		}
		return h.expires(s, t)
	})
}

// expires notes the expiry of a token that has just been cached.
func (h imports) expires(s resolved, t credential.Token) error {
	si, err := h.Records.SignIn(s.signIn.ID)
	if err != nil {
		return err
	}
	return h.Records.PutSignIn(si.Expires(s.tokenID, t.Expiry))
}

// given makes a token of what the caller gave. An access token without an expiry is trusted until a server refuses it.
func (h imports) given(s resolved, g Import) credential.Token {
	now := h.Now()
	return credential.Token{
		Access: g.Access, Type: "Bearer", Obtained: now, Expiry: g.Expiry, RefreshAt: credential.RefreshWindow(now, g.Expiry, 0),
		Scopes: s.account.Scopes, Account: s.account.Label, Issuer: s.server.Issuer, Resource: s.server.Resource, Server: s.server.URL,
	}
}

// storeGrant makes a sign-in of what the caller gave. The issuer's metadata is read at the first refresh.
func (h imports) storeGrant(ctx context.Context, g Import, refreshable bool) error {
	settings := h.Settings(g.Query.URL)
	kc, err := h.Keychain(ctx, settings.Store)
	if err != nil {
		return err
	}
	source := StoredSource
	if refreshable {
		source = "oauth"
		if err := credential.CheckEndpoint(g.Issuer, "issuer"); err != nil {
			return err
		}
	}
	server, err := h.importServer(g, settings, source)
	if err != nil {
		return err
	}
	scopes := credential.JoinScopes(g.Query.Scopes, nil)
	id := credential.SignInID(g.Issuer, g.ClientID, g.Query.Account, g.Query.URL)
	si := state.SignIn{
		ID: id, Source: source, Keychain: kc.Store(), Tier: kc.Tier(), PassphraseFile: h.PassphraseFile(kc.Store()), ClientID: g.ClientID, AuthMethod: "none",
		Account: g.Query.Account, Endpoints: credential.Endpoints{Issuer: g.Issuer}, Requested: scopes, Granted: scopes,
		NoRefresh: !refreshable, Created: h.Now(), RefreshObtained: h.Now(),
	}
	account := state.Account{Label: g.Query.Account, SignIn: id, Scopes: scopes}
	answer := credential.Answer{Grant: credential.Grant{RefreshToken: g.Refresh}}
	if !g.Access.IsZero() {
		answer.Token = h.given(resolved{server: server, account: account, signIn: si}, g)
	}
	return approvals(h).storeLocked(ctx, kc, server, account, si, answer)
}

// importServer returns the record that an import belongs to. What a person has approved for a known server stands: a host
// adds an account to it and changes neither its issuer nor its resource.
func (h imports) importServer(g Import, settings Settings, source string) (state.Server, error) {
	known, err := h.Records.Server(g.Query.URL)
	switch {
	case errors.Is(err, state.ErrNone) || err == nil && known.Issuer == "":
		return state.Server{URL: g.Query.URL, Name: cmp.Or(settings.Name, hostOf(g.Query.URL)), Issuer: g.Issuer, Source: source, ApprovedBy: "store", Accounts: known.Accounts}, nil
	case err == nil && g.Issuer != "" && g.Issuer != known.Issuer:
		return known, fail(credential.NotApproved, known.URL, "the sign-in for "+known.URL+" is with another issuer, "+known.Issuer)
	}
	return known, err
}

// Erase takes a token back. With a refused access token it drops that one only if it is still the cached one, so that
// the next get refreshes; without one it forgets every access token of the server. The sign-in stays. An unknown
// server is no error.
func (h *Helper) Erase(ctx context.Context, q credential.Query, refused credential.Secret) error {
	server, err := records{h}.server(q)
	m, _ := machines{h}.find(Ask{Query: q}, err)
	bad := []error{machines{h}.erase(ctx, q.URL, m, refused)}
	if credential.KindOf(err) == credential.NotFound {
		h.Trace("erase: no sign-in for the server")
		return errors.Join(bad...)
	}
	if err != nil {
		return err
	}
	for _, a := range server.Accounts {
		if q.Account != "" && q.Account != a.Label {
			continue
		}
		bad = append(bad, imports{h}.eraseToken(ctx, server, a, refused))
	}
	return errors.Join(bad...)
}

func (h imports) eraseToken(ctx context.Context, server state.Server, a state.Account, refused credential.Secret) error {
	tokenID := credential.TokenID(a.SignIn, server.URL, server.Resource, a.Scopes)
	if refused.IsZero() {
		h.Trace("erase: the cached token")
		return h.Cache.Drop(a.SignIn, tokenID)
	}
	err := h.locked(ctx, a.SignIn, credential.LockShort, func() error {
		s, err := h.resolve(credential.Query{URL: server.URL, Account: a.Label})
		if err != nil {
			return err
		}
		t, err := tokens(h).read(ctx, s)
		if credential.KindOf(err) >= credential.KeychainLocked {
			return err
		}
		if err != nil || !t.Access.Equal(refused) {
			h.Trace("erase: that token is not the cached one; nothing to do")
			return nil
		}
		h.Trace("erase: the refused token")
		return h.Cache.Drop(a.SignIn, tokenID)
	})
	if credential.KindOf(err) == credential.StillRefreshing {
		h.Trace("erase: a refresh is replacing the token already")
		return nil
	}
	return err
}

// noTier makes a missing place for the hot key what it is: no failure.
func noTier(err error) error {
	if errors.Is(err, cache.ErrNoTier) {
		return nil
	}
	return err
}

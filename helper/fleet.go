package helper

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// This file is about sign-ins that a fleet of machines shares. The store has the grant, and beside it what a machine needs to know of
// the sign-in and the access tokens that the last refresh has brought, so that all machines together make one token request in the life
// of a token.

// Fleet is a Keychain whose items several machines share (cache/postgres). Its errors are those of a Keychain, or of kind Network,
// StillRefreshing, Misconfigured and Untrusted.
type Fleet interface {
	Keychain
	// Lookup reads a sign-in without waiting for anybody.
	Lookup(ctx context.Context, id string) (credential.Shared, error)
	// Serving returns the sign-ins that serve a server.
	Serving(ctx context.Context, server string) ([]credential.Shared, error)
	// Update is the only one to change a sign-in until it returns. What do returns is durable then, or there is an error. do calls begin
	// before it spends the refresh token, and not at all where begin fails.
	Update(ctx context.Context, id string, do func(old credential.Shared, begin func() error) credential.Shared) error
	// MaySignIn is nil where this machine may add and remove sign-ins.
	MaySignIn(ctx context.Context) error
	// DataKey is the data key of a sign-in, in place of the one in its grant.
	DataKey(id string) (credential.Secret, error)
}

// fleets shares sign-ins with other machines.
type fleets struct{ *Helper }

// publicHalf is credential.Shared.Record.
type publicHalf struct {
	SignIn  state.SignIn   `json:"sign_in"`
	Servers []state.Server `json:"servers"` // with the accounts of this sign-in alone
}

func readPublicHalf(item credential.Shared) (publicHalf, error) {
	var p publicHalf
	if json.Unmarshal(item.Record, &p) != nil || p.SignIn.ID != item.ID {
		return p, credential.Fail(credential.KeychainBroken, "the record of a sign-in that the fleet shares is not one of ours", nil)
	}
	return p, nil
}

// sharedToken is an access token in credential.Shared.Tokens, by its identifier.
type sharedToken struct {
	Access    string    `json:"access_token"`
	Type      string    `json:"token_type"`
	Key       string    `json:"key,omitempty"` // that the token is bound to
	Obtained  time.Time `json:"obtained"`
	Expiry    time.Time `json:"expiry,omitzero"`
	RefreshAt time.Time `json:"refresh_at,omitzero"`
	Scopes    []string  `json:"scopes"`
}

func readTokens(item credential.Shared) map[string]sharedToken {
	all := map[string]sharedToken{}
	_ = json.Unmarshal(item.Tokens, &all) // what cannot be read is not there
	return all
}

// withToken puts a token in place of the one that it succeeds. Those that have ended go.
func withToken(item credential.Shared, id string, t credential.Token, now time.Time) credential.Shared {
	all := readTokens(item)
	for old, t := range all {
		if !t.Expiry.IsZero() && !now.Before(t.Expiry) {
			delete(all, old)
		}
	}
	all[id] = sharedToken{Access: t.Access.Reveal(), Type: t.Type, Key: t.Key.Reveal(), Obtained: t.Obtained, Expiry: t.Expiry, RefreshAt: t.RefreshAt, Scopes: t.Scopes}
	item.Tokens, _ = json.Marshal(all)
	item.Expiry = t.Expiry
	return item
}

// token is what another machine has left for this one, where it serves: valid, not the refused one, and not yet in its refresh window.
// The machines of a fleet come to that window one after the other over the first half of it, not all at once.
func (h fleets) token(item credential.Shared, s resolved, refused string) (credential.Token, bool) {
	found, ok := readTokens(item)[s.tokenID]
	t := credential.Token{
		Access: credential.NewSecret(found.Access), Type: found.Type, Key: credential.NewSecret(found.Key),
		Obtained: found.Obtained, Expiry: found.Expiry, RefreshAt: found.RefreshAt, Scopes: found.Scopes,
	}
	if !ok || !t.Valid(h.Now()) || t.Due(h.Now()) || t.Access.Fingerprint() == refused {
		return credential.Token{}, false
	}
	if !t.RefreshAt.IsZero() && !t.Expiry.IsZero() {
		t.RefreshAt = t.RefreshAt.Add(time.Duration(rand.Float64() * float64(t.Expiry.Sub(t.RefreshAt)) / 2))
	}
	return completed(s, t), true
}

// held is the one grant that a refresh works on while its row is locked: what is set is written when the lock goes.
type held struct {
	Fleet
	grant []byte
}

func (k *held) Get(context.Context, string) ([]byte, error) { return k.grant, nil }

func (k *held) Set(_ context.Context, _, _ string, value []byte) error {
	k.grant = value
	return nil
}

// renew brings a new access token for a sign-in: one that another machine has left, else that of a refresh, with the row locked from
// before the refresh token is spent until its successor is committed.
func (h fleets) renew(ctx context.Context, f Fleet, s resolved, r Renewal) (answer credential.Answer, key credential.Secret, err error) {
	if key, err = f.DataKey(s.signIn.ID); err != nil {
		return answer, key, err
	}
	item, err := f.Lookup(ctx, s.signIn.ID)
	if err != nil {
		return answer, key, err
	}
	if t, ok := h.token(item, s, r.Refused); ok {
		h.Trace("fleet: another machine has just refreshed")
		return credential.Answer{Token: t}, key, nil
	}
	rotated := false
	stored := f.Update(ctx, s.signIn.ID, func(old credential.Shared, begin func() error) credential.Shared {
		answer, err = credential.Answer{}, nil
		if t, ok := h.token(old, s, r.Refused); ok {
			h.Trace("fleet: another machine has refreshed meanwhile")
			answer.Token = t
			return old
		}
		if now, perr := readPublicHalf(old); perr == nil && now.SignIn.Dead != nil && now.SignIn.Created.Equal(s.signIn.Created) {
			err = &refusal{now.SignIn.Dead.Fingerprint, fail(credential.SignInDead, s.server.URL, now.SignIn.Dead.Reason)}
			return old
		}
		k := &held{f, old.Grant}
		answer, _, err = refreshes(h).spend(ctx, s, k, begin)
		rotated = string(k.grant) != string(old.Grant)
		old.Grant = k.grant
		if !answer.Token.Access.IsZero() {
			old = withToken(old, s.tokenID, completed(s, answer.Token), h.Now())
		}
		return h.noted(old, answer, err)
	})
	if rotated && stored == nil {
		if err := (cache.Parking{Store: h.Cache}).DropAll(s.signIn.ID); err != nil { // no longer used: the row has another one than it has replaced
			h.Trace("fleet: the parked refresh token stays: " + err.Error())
		}
		h.Trace("fleet: committed; nothing is parked any more")
	}
	return answer, key, cmp.Or(err, stored)
}

// noted writes into the public half what a refresh says to other machines: that the authorization server has refused the refresh
// token, so that nobody else tries it, or when it now ends.
func (h fleets) noted(item credential.Shared, answer credential.Answer, err error) credential.Shared {
	var dead *refusal
	p, perr := readPublicHalf(item)
	switch {
	case perr != nil:
		return item
	case errors.As(err, &dead):
		p.SignIn.Dead = &state.Dead{Reason: firstLine(dead.err.Error()), At: h.Now(), Fingerprint: dead.fingerprint}
	case !answer.RefreshExpires.IsZero():
		p.SignIn.RefreshExpires = answer.RefreshExpires
	default:
		return item
	}
	item.Record, _ = json.Marshal(p)
	return item
}

// publish writes what other machines need to know of a sign-in as it is recorded here, and an access token where there is one.
func (h fleets) publish(ctx context.Context, kc Keychain, id, tokenID string, t credential.Token) error {
	f, ok := kc.(Fleet)
	if !ok {
		return nil
	}
	si, err := h.Records.SignIn(id)
	if err != nil {
		return err
	}
	servers, err := h.Records.Serves(id)
	if err != nil {
		return err
	}
	urls := []string{}
	for i := range servers {
		servers[i].Accounts = slices.DeleteFunc(slices.Clone(servers[i].Accounts), func(a state.Account) bool { return a.SignIn != id })
		urls = append(urls, servers[i].URL)
	}
	si.PassphraseFile, si.LastError, si.NextTry, si.PerToken = "", nil, time.Time{}, nil
	record, err := json.Marshal(publicHalf{si, servers})
	if err != nil {
		return err
	}
	return f.Update(ctx, id, func(old credential.Shared, _ func() error) credential.Shared {
		old.Record, old.Servers = record, urls
		if !t.Access.IsZero() {
			old = withToken(old, tokenID, t, h.Now())
		}
		return old
	})
}

// eraseCached is erase for the token that is cached here.
func (h fleets) eraseCached(ctx context.Context, server state.Server, a state.Account) {
	if h.of(ctx, a.SignIn, server.URL) == nil {
		return
	}
	s, err := h.resolve(credential.Query{URL: server.URL, Account: a.Label})
	if err != nil {
		return
	}
	if t, err := tokens(h).read(ctx, s); err == nil {
		h.erase(ctx, s, t)
	}
}

// erase takes a refused token out of what the fleet has, unless another machine has replaced it there: the next refresh of any machine
// brings another one.
func (h fleets) erase(ctx context.Context, s resolved, refused credential.Token) {
	f := h.of(ctx, s.signIn.ID, s.server.URL)
	if f == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, credential.LockShort)
	defer cancel()
	err := f.Update(ctx, s.signIn.ID, func(old credential.Shared, _ func() error) credential.Shared {
		all := readTokens(old)
		if all[s.tokenID].Access != "" && credential.NewSecret(all[s.tokenID].Access).Equal(refused.Access) {
			delete(all, s.tokenID)
			old.Tokens, _ = json.Marshal(all)
		}
		return old
	})
	if err != nil && !errors.Is(err, credential.ErrNoItem) {
		h.Warn("the token is erased here, and other machines of the fleet keep it: " + err.Error())
	}
}

// of returns the store of a sign-in that a fleet shares; nil for any other.
func (h fleets) of(ctx context.Context, id, server string) Fleet {
	si, err := h.Records.SignIn(id)
	if err != nil || h.Fleet == nil {
		return nil
	}
	f, err := h.Fleet(ctx, server)
	if err != nil || f == nil || f.Store() != si.Keychain {
		return nil
	}
	return f
}

// maySignOut is an error where this machine may only use a sign-in: it must not revoke for all what it cannot remove.
func (h fleets) maySignOut(ctx context.Context, id string) error {
	si, err := h.Records.SignIn(id)
	if err != nil || h.Fleet == nil {
		return nil
	}
	kc, err := h.Keychain(ctx, si.Keychain)
	if err != nil {
		return nil // signing out goes on to say so
	}
	if f, ok := kc.(Fleet); ok {
		return f.MaySignIn(ctx)
	}
	return nil
}

// republish tells the fleet which servers a sign-in serves now. A machine that may only get keeps that to itself.
func (h fleets) republish(ctx context.Context, id, server string) {
	f := h.of(ctx, id, server)
	if f == nil {
		return
	}
	if err := h.publish(ctx, f, id, "", credential.Token{}); err != nil {
		h.Trace("fleet: other machines are not told: " + err.Error())
	}
}

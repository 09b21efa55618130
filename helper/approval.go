package helper

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// approvals records that a server may have tokens of a sign-in.
type approvals struct{ *Helper }

// storeLocked stores a sign-in under its lock, and ends those whose place it has taken: they are found under the lock of the
// servers, so that of two sign-ins at the same time one replaces the other and neither is left behind.
func (h approvals) storeLocked(ctx context.Context, kc Keychain, server state.Server, account state.Account, si state.SignIn, answer credential.Answer) error {
	var replaced []string
	err := h.locked(ctx, si.ID, credential.LockSignIn, func() (err error) {
		replaced, err = h.store(ctx, kc, server, account, si, answer)
		return err
	})
	for _, id := range replaced {
		logouts(h).removeOrphan(ctx, id)
	}
	return err
}

// store writes everything a sign-in consists of, and returns the sign-ins whose place it has taken. The caller holds its lock.
func (h approvals) store(ctx context.Context, kc Keychain, server state.Server, account state.Account, si state.SignIn, answer credential.Answer) ([]string, error) {
	g := answer.Grant
	g.DataKey = newDataKey()
	if data, err := kc.Get(ctx, si.ID); err == nil {
		if old, err := decodeGrant(data); err == nil {
			g.DataKey = old.DataKey
		}
	} else if !errors.Is(err, credential.ErrNoItem) {
		return nil, err
	}
	if err := save(ctx, kc, si.ID, itemLabel(resolved{server: server, account: account, signIn: si}), g); err != nil {
		return nil, err
	}
	h.Trace("sign-in: in the keychain")
	_ = (cache.Parking{Store: h.Cache}).DropAll(si.ID)
	s := resolved{server: server, account: account, signIn: si}
	s.tokenID = credential.TokenID(si.ID, server.URL, server.Resource, account.Scopes)
	if err := h.Records.PutSignIn(si.Expires(s.tokenID, answer.Token.Expiry)); err != nil {
		return nil, err
	}
	h.Trace("sign-in: recorded")
	replaced, err := h.approve(ctx, server, account, credential.LockWait)
	h.Trace("sign-in: approved")
	if err != nil || answer.Token.Access.IsZero() {
		return replaced, err
	}
	t := answer.Token
	t.Server, t.Resource, t.Issuer, t.Account = server.URL, server.Resource, server.Issuer, cmp.Or(si.User, account.Label)
	err = noTier(h.Cache.Keep(g.DataKey, si.ID, s.tokenID, t))
	if account.Label == "" {
		tokens(h).pointTo(s.query(), s)
	}
	return replaced, err
}

// approve records that a person has approved this server for this account, and forgets which answers the old record led to.
// It returns the sign-ins that the server had and has no more.
func (h approvals) approve(ctx context.Context, server state.Server, account state.Account, patience time.Duration) (replaced []string, err error) {
	err = h.locked(ctx, "servers", patience, func() error {
		now, err := h.Records.Server(server.URL)
		if err != nil && !errors.Is(err, state.ErrNone) {
			return err
		}
		server.Accounts = nil
		if now.Issuer == server.Issuer && now.Resource == server.Resource {
			server.Accounts = now.Accounts
		}
		server.Accounts = withAccount(server.Accounts, account)
		replaced = removed(now.Accounts, server.Accounts)
		server.ApprovedAt = h.Now()
		if err := h.Records.PutServer(server); err != nil {
			return err
		}
		return h.Cache.Unpoint(func(p cache.Pointer) bool { return p.URL == server.URL })
	})
	return replaced, err
}

// removed returns the sign-ins of before that no account of after has.
func removed(before, after []state.Account) []string {
	var out []string
	for _, a := range before {
		if !slices.ContainsFunc(after, func(b state.Account) bool { return b.SignIn == a.SignIn }) {
			out = append(out, a.SignIn)
		}
	}
	return out
}

// withAccount replaces the account with the same label, else adds it behind the others: the first one stays the default.
func withAccount(all []state.Account, a state.Account) []state.Account {
	all = slices.Clone(all)
	i := slices.IndexFunc(all, func(b state.Account) bool { return b.Label == a.Label })
	if i < 0 {
		return append(all, a)
	}
	all[i] = a
	return all
}

// approveShared is approve for a sign-in that is there already, whose lock the caller does not hold.
func (h approvals) approveShared(ctx context.Context, server state.Server, account state.Account) error {
	replaced, err := h.approve(ctx, server, account, credential.LockShort)
	for _, id := range replaced {
		logouts(h).removeOrphan(ctx, id)
	}
	return err
}

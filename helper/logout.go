package helper

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// logouts ends sign-ins.
type logouts struct{ *Helper }

// Logout ends the sign-ins of one server (all accounts, or the one that account names), or of every server where url is
// empty: revoked at the authorization server where it can be reached and offers that, removed from the keychain, and
// the tokens with it. A sign-in that serves other servers too stays for them. It returns what was signed out of:
// each server, and as whom.
func (h *Helper) Logout(ctx context.Context, url, account string) ([]string, error) {
	servers, err := h.Records.Servers()
	if err != nil {
		h.Warn(err.Error())
	}
	var out []string
	var bad []error
	known := false
	for _, s := range servers {
		if url != "" && s.URL != url {
			continue
		}
		gone := slices.DeleteFunc(slices.Clone(s.Accounts), func(a state.Account) bool { return account != "" && a.Label != account })
		if len(gone) == 0 {
			continue
		}
		known = true
		names := records{h}.signedInAs(gone)
		if err := (logouts{h}).signOut(ctx, s, gone); err != nil {
			bad = append(bad, err)
			continue
		}
		for i := range gone {
			out = append(out, s.URL+names[i])
		}
	}
	if account == "" {
		gone, err := machines{h}.drop(ctx, url)
		out, bad, known = append(out, gone...), append(bad, err, Forwards{h}.forget(url)), known || len(gone) > 0
		slices.Sort(out)
		out = slices.Compact(out)
	}
	if account == "" && url == "" {
		logouts{h}.removeOrphans(ctx)
	}
	if !known && url != "" {
		text := "nobody is signed in to " + url
		if account != "" {
			text += " as " + credential.Printable(account, 80)
		}
		return nil, fail(credential.NotFound, url, text)
	}
	return out, errors.Join(bad...)
}

// signedInAs says of each account how a person knows it: by its label, by its name at the identity provider, or not at all.
func (h records) signedInAs(accounts []state.Account) []string {
	out := make([]string, len(accounts))
	for i, a := range accounts {
		si, _ := h.Records.SignIn(a.SignIn)
		if name := cmp.Or(a.Label, si.User); name != "" {
			out[i] = " as " + credential.Printable(name, 100)
		}
	}
	return out
}

// SignedIn lists the accounts that are signed in to a server, in words.
func (h *Helper) SignedIn(url string) []string {
	s, err := h.Records.Server(url)
	if err != nil {
		return nil
	}
	names := records{h}.signedInAs(s.Accounts)
	for i := range names {
		names[i] = cmp.Or(strings.TrimPrefix(names[i], " as "), "the one without a label")
	}
	return names
}

// signOut ends the sign-ins of accounts that serve nobody else and takes the accounts off the server. One whose sign-in
// cannot be removed (the keychain is locked) stays listed, so that logging out can be tried again.
func (h logouts) signOut(ctx context.Context, s state.Server, gone []state.Account) error {
	bad := h.Cache.Unpoint(func(p cache.Pointer) bool { return p.URL == s.URL })
	var off []state.Account
	for _, a := range gone {
		if err := h.signOutAccount(ctx, s, a); err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		off = append(off, a)
	}
	return unwritable(h.Records, errors.Join(bad, h.removeAccounts(ctx, s, off)))
}

// removeAccounts takes accounts off the record of a server as it is now. An account that somebody has signed in again meanwhile, or
// with another client, stays.
func (h logouts) removeAccounts(ctx context.Context, s state.Server, off []state.Account) error {
	return h.locked(ctx, "servers", credential.LockWait, func() error {
		now, err := h.Records.Server(s.URL)
		if errors.Is(err, state.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		now.Accounts = slices.DeleteFunc(now.Accounts, func(a state.Account) bool {
			return slices.ContainsFunc(off, func(b state.Account) bool { return b.Same(a) }) && !records(h).signedInAgain(a, s)
		})
		if len(now.Accounts) == 0 {
			return h.Records.DropServer(s.URL)
		}
		return h.Records.PutServer(now)
	})
}

// signedInAgain reports whether the sign-in of an account that was logged out has been made anew. One that serves other servers too
// was never ended.
func (h records) signedInAgain(a state.Account, s state.Server) bool {
	users, err := h.Records.Serves(a.SignIn)
	shared := slices.ContainsFunc(users, func(u state.Server) bool { return u.URL != s.URL })
	_, serr := h.Records.SignIn(a.SignIn)
	return err == nil && serr == nil && !shared
}

func (h logouts) signOutAccount(ctx context.Context, s state.Server, a state.Account) error {
	users, err := h.Records.Serves(a.SignIn)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(users, func(u state.Server) bool { return u.URL != s.URL }) {
		return errors.Join(h.Cache.Drop(a.SignIn, credential.TokenID(a.SignIn, s.URL, s.Resource, a.Scopes)), Memories(h).at(a.SignIn, s.URL).Drop())
	}
	return h.locked(ctx, a.SignIn, credential.LockSignIn, func() error {
		h.revoke(ctx, a.SignIn, s.URL, "for "+s.URL)
		return h.dropSignIn(ctx, a.SignIn)
	})
}

// removeOrphans ends the sign-ins that no server has: of a process that was killed between the two records.
func (h logouts) removeOrphans(ctx context.Context) {
	all, err := h.Records.SignIns()
	if err != nil {
		h.Warn(err.Error())
	}
	for _, si := range all {
		h.removeOrphan(ctx, si.ID)
	}
}

// removeOrphan removes a sign-in that serves no server any more, because a newer one has replaced it. It is revoked first, unless
// the same client has another sign-in with that issuer: some servers end all of a client's grants together.
func (h logouts) removeOrphan(ctx context.Context, id string) {
	err := h.locked(ctx, id, credential.LockSignIn, func() error {
		if users, err := h.Records.Serves(id); err != nil || len(users) > 0 {
			return err
		}
		if !records(h).sharesClient(id) {
			h.revoke(ctx, id, "", "that was replaced")
		}
		return h.dropSignIn(ctx, id)
	})
	if err != nil {
		h.Warn("the replaced sign-in could not be removed from the keychain: " + err.Error())
	}
}

func (h records) sharesClient(id string) bool {
	all, err := h.Records.SignIns()
	own := slices.IndexFunc(all, func(s state.SignIn) bool { return s.ID == id })
	return err != nil || own >= 0 && slices.ContainsFunc(all, func(s state.SignIn) bool {
		return s.ID != id && s.ClientID == all[own].ClientID && s.Endpoints.Issuer == all[own].Endpoints.Issuer
	})
}

// revoke tells the authorization server, which may be unreachable: the sign-in is forgotten here all the same. server is where it
// served last; empty: nobody knows but its resource.
func (h logouts) revoke(ctx context.Context, id, server, which string) {
	si, err := h.Records.SignIn(id)
	if err != nil || si.NoRefresh || si.Dead != nil {
		return
	}
	source, err := h.Source(si.Source)
	if err != nil {
		return
	}
	g, err := h.grant(ctx, si)
	if err == nil {
		settings := h.Settings(cmp.Or(server, si.Resource))
		err = source.Revoke(ctx, resolved{signIn: si, settings: settings}.target(), g, si.AuthMethod)
	}
	if err != nil {
		h.Warn("the sign-in " + which + " could not be revoked at the authorization server: " + err.Error())
	}
}

// dropSignIn removes a sign-in from this machine: hot key and tokens, then the keychain, then the record, which is what
// a second attempt needs when the keychain fails.
func (h logouts) dropSignIn(ctx context.Context, id string) error {
	si, err := h.Records.SignIn(id)
	if errors.Is(err, state.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	err = h.Cache.Forget(id)
	h.Trace("logout: the tokens are gone")
	state.Cooldowns{Records: h.Records}.End(startMark(id))
	kc, kerr := h.Keychain(ctx, si.Keychain)
	if kerr == nil {
		kerr = kc.Delete(ctx, id)
	}
	if kerr != nil {
		return errors.Join(err, kerr)
	}
	h.Trace("logout: the keychain's item is gone")
	err = errors.Join(err, h.Records.DropSignIn(id))
	h.Trace("logout: the record is gone")
	return err
}

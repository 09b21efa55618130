package helper

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// This file is about what one machine learns from another: that somebody has signed in, or out.

// adopt records here the sign-ins that the fleet has for a server, where the configuration names a fleet's store for it. It reports
// whether there was one that this machine did not know.
func (h fleets) adopt(ctx context.Context, server string) (bool, error) {
	if h.Fleet == nil {
		return false, nil
	}
	f, err := h.Fleet(ctx, server)
	if f == nil || err != nil {
		return false, err
	}
	h.Trace("fleet: looking for a sign-in")
	items, err := f.Serving(ctx, server)
	news := false
	for _, item := range items {
		if len(item.Record) == 0 {
			continue // the sign-in is not finished
		}
		p, perr := readPublicHalf(item)
		if perr != nil {
			err = errors.Join(err, perr)
			continue
		}
		was, aerr := h.adoptOne(ctx, f, server, p)
		news, err = news || was, errors.Join(err, aerr)
	}
	if err == nil {
		err = h.dropEnded(ctx, f, server, items)
	}
	return news, err
}

// dropEnded forgets the sign-ins for a server that another machine has signed out of.
func (h fleets) dropEnded(ctx context.Context, f Fleet, server string, items []credential.Shared) error {
	known, err := h.Records.Server(server)
	if errors.Is(err, state.ErrNone) {
		return nil
	}
	var off []state.Account
	for _, a := range known.Accounts {
		si, serr := h.Records.SignIn(a.SignIn)
		if serr != nil || si.Keychain != f.Store() || slices.ContainsFunc(items, func(i credential.Shared) bool { return i.ID == a.SignIn }) {
			continue
		}
		if _, lerr := f.Lookup(ctx, a.SignIn); !errors.Is(lerr, credential.ErrNoItem) {
			continue // it serves other servers, and this one as the configuration here says
		}
		h.Trace("fleet: another machine has signed out of " + server)
		off = append(off, a)
		err = errors.Join(err, h.Cache.Forget(a.SignIn), h.Records.DropSignIn(a.SignIn))
	}
	if len(off) == 0 {
		return err
	}
	return errors.Join(err, logouts(h).removeAccounts(ctx, known, off))
}

// signedIn is adopt for a get that err ends otherwise, because only a person can help. git asks every helper about every host, and is
// answered from what is known here.
func (h fleets) signedIn(ctx context.Context, a Ask, err error) (bool, error) {
	if !needsSignIn(err) || a.Quiet || a.Query.OriginOf || a.Query.Below || credential.KindOf(err) == credential.StepUp {
		return false, nil
	}
	return h.adopt(ctx, a.Query.URL)
}

// adoptOne records one sign-in, where it is another one than the record says: one that was made since.
func (h fleets) adoptOne(ctx context.Context, f Fleet, server string, p publicHalf) (news bool, err error) {
	i := slices.IndexFunc(p.Servers, func(s state.Server) bool { return s.URL == server })
	if i < 0 || len(p.Servers[i].Accounts) == 0 {
		return false, nil
	}
	var replaced []string
	err = h.locked(ctx, p.SignIn.ID, credential.LockShort, func() error {
		have, err := h.Records.SignIn(p.SignIn.ID)
		if err != nil && !errors.Is(err, state.ErrNone) {
			return err
		}
		known, serr := h.Records.Server(server)
		same := err == nil && have.Created.Equal(p.SignIn.Created) && !have.RefreshExpires.Before(p.SignIn.RefreshExpires)
		if same && serr == nil && slices.ContainsFunc(known.Accounts, p.Servers[i].Accounts[0].Same) {
			return nil
		}
		news = true
		si := p.SignIn
		si.Keychain, si.Tier, si.Expiry = f.Store(), f.Tier(), time.Time{}
		if !same {
			if err := h.Records.PutSignIn(si); err != nil {
				return err
			}
		}
		for _, a := range p.Servers[i].Accounts {
			gone, err := approvals(h).approve(ctx, p.Servers[i], a, credential.LockShort)
			if replaced = append(replaced, gone...); err != nil {
				return err
			}
		}
		h.Trace("fleet: another machine has signed in to " + server)
		return nil
	})
	for _, id := range replaced {
		h.forget(id)
	}
	return news, err
}

// forget removes from this machine a sign-in of the fleet whose place another one has taken, and nothing from the fleet.
func (h fleets) forget(id string) {
	users, err := h.Records.Serves(id)
	if si, serr := h.Records.SignIn(id); err != nil || serr != nil || len(users) > 0 || si.Keychain == "" {
		return
	}
	if err := errors.Join(h.Cache.Forget(id), h.Records.DropSignIn(id)); err != nil {
		h.Warn("the replaced sign-in could not be removed: " + err.Error())
	}
}

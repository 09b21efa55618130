package helper

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// Where the data key of a machine identity's token is: the values of state.Machine.Place. There is no sign-in whose
// keychain item could hold it, and a token is never kept under anything weaker.
const (
	placeNone     = ""         // the token was not kept
	placeHot      = "hot"      // a random key in the place for hot keys
	placeBox      = "box"      // a random key in a file that the system closes (DPAPI)
	placeKeychain = "keychain" // a random key in an item of the keychain
	placeDerived  = "derived"  // derived from the secret that the process holds, with the record's salt
)

// What status calls the places that have no name of their own.
const (
	tierNone    = "nowhere: the system keeps no key, and the secret is shorter than 32 characters"
	tierBox     = "file sealed by Windows (DPAPI)"
	tierDerived = "file sealed with a key derived from the secret"
)

const saltLen = 16

// read opens the cached token of a machine identity. Any error means that a new one is needed.
func (r identity) read(ctx context.Context) (credential.Token, error) {
	if r.record.Place == placeNone {
		if t, ok := r.uncached.Load(r.record.ID); ok {
			return t.(credential.Token), nil
		}
		return credential.Token{}, cache.ErrMiss
	}
	t, err := r.Cache.Token(r.record.ID, r.record.Token)
	if errors.Is(err, cache.ErrNoKey) {
		var key credential.Secret
		if key, err = r.dataKey(ctx); err == nil {
			t, err = r.Cache.TokenWith(key, r.record.ID, r.record.Token)
		}
	}
	if err == nil && t.Server != r.server {
		return credential.Token{}, cache.ErrMiss
	}
	return t, err
}

// dataKey fetches the data key from where the record says.
func (r identity) dataKey(ctx context.Context) (credential.Secret, error) {
	switch r.record.Place {
	case placeBox:
		return r.Cache.UnprotectKey(r.record.ID)
	case placeDerived:
		key, err := r.machine.Key(r.record.Salt)
		if err == nil && key.IsZero() {
			err = cache.ErrNoKey
		}
		return key, err
	case placeKeychain:
		g, err := r.grant(ctx, r.record.SignIn)
		return g.DataKey, err
	}
	return credential.Secret{}, cache.ErrNoKey
}

// keep seals a token under the best key that this system and this identity have, and says so in the record;
// without one it keeps it in the memory of this process alone, which is what a bridge needs.
func (r *identity) keep(ctx context.Context, t credential.Token) error {
	key, err := r.newKey(ctx, t)
	if err == nil && !key.IsZero() {
		err = noTier(r.Cache.Keep(key, r.record.ID, r.record.Token, t))
	}
	if err != nil {
		r.record.Place, r.record.Tier = placeNone, tierNone
	}
	if r.record.Place == placeNone {
		r.uncached.Store(r.record.ID, t)
		err = errors.Join(err, r.Cache.Drop(r.record.ID, r.record.Token))
	}
	return err
}

// newKey makes a data key and finds a place for it: where hot keys are, else what the system closes for this user, else the
// secret that the process holds. The zero key means that there is none.
func (r *identity) newKey(ctx context.Context, t credential.Token) (credential.Secret, error) {
	rec, key := &r.record, newDataKey()
	err := r.Cache.Heat(rec.ID, key, t.Expiry)
	if err == nil {
		rec.Place, rec.Tier = placeHot, r.Cache.Tier()
		return key, nil
	}
	if !errors.Is(err, cache.ErrNoTier) {
		return credential.Secret{}, err
	}
	if err := r.Cache.ProtectKey(rec.ID, key); err == nil {
		rec.Place, rec.Tier = placeBox, tierBox
		return key, nil
	}
	if r.KeychainKeys && r.putKey(ctx, key) == nil {
		return key, nil
	}
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails (crypto/rand since Go 1.24)
	if key, err = r.machine.Key(salt); err == nil && !key.IsZero() {
		rec.Place, rec.Tier, rec.Salt = placeDerived, tierDerived, salt
		return key, nil
	}
	rec.Place, rec.Tier = placeNone, tierNone
	return credential.Secret{}, err
}

// putKey puts the data key into a keychain item.
func (r *identity) putKey(ctx context.Context, key credential.Secret) error {
	kc, err := r.Keychain(ctx, r.Settings(r.server).Store)
	if err == nil {
		err = save(ctx, kc, r.record.ID, "mcp-credential: "+hostOf(r.server)+" ("+r.who.Kind+")", credential.Grant{DataKey: key})
	}
	if err != nil {
		r.Trace("keychain: " + err.Error())
		return err
	}
	r.record.Place, r.record.Tier, r.record.Keychain = placeKeychain, kc.Tier(), kc.Store()
	return nil
}

// erase takes back tokens of machine identities for a server: the refused one where it is still the cached one,
// or all of them. m is the identity that the question means, nil for none: only it can open a token under a derived key.
func (h machines) erase(ctx context.Context, server string, m Machine, refused credential.Secret) error {
	var bad []error
	for _, rec := range records(h).machinesAt(server) {
		r := identity{Helper: h.Helper, machine: m, server: server, record: rec}
		if m == nil && rec.Place == placeDerived && !refused.IsZero() {
			continue
		}
		err := h.locked(ctx, rec.ID, credential.LockShort, func() error {
			if t, err := r.read(ctx); refused.IsZero() || err == nil && t.Access.Equal(refused) {
				h.Trace("erase: the token of the machine identity")
				h.uncached.Delete(rec.ID)
				return h.Cache.Drop(rec.ID, rec.Token)
			}
			return nil
		})
		if credential.KindOf(err) != credential.StillRefreshing { // else it is being replaced already
			bad = append(bad, err)
		}
	}
	return errors.Join(bad...)
}

// drop forgets the machine identities at a server, or everywhere where url is empty: tokens, keys and records.
// It returns the servers that had some.
func (h machines) drop(ctx context.Context, url string) ([]string, error) {
	var gone []string
	var bad []error
	for _, rec := range records(h).machinesAt(url) {
		h.uncached.Delete(rec.ID)
		err := h.Cache.Forget(rec.ID)
		if rec.Place == placeKeychain {
			kc, kerr := h.Keychain(ctx, rec.Keychain)
			if kerr == nil {
				kerr = kc.Delete(ctx, rec.ID)
			}
			err = errors.Join(err, kerr)
		}
		if err == nil {
			err = h.Records.DropMachine(rec.ID)
		}
		bad, gone = append(bad, err), append(gone, rec.Server)
	}
	return gone, errors.Join(bad...)
}

// machinesAt lists the records of a server, or all where url is empty. Unreadable ones are warned of.
func (h records) machinesAt(url string) []state.Machine {
	all, err := h.Records.Machines()
	if err != nil {
		h.Warn(err.Error())
	}
	return slices.DeleteFunc(all, func(rec state.Machine) bool { return url != "" && rec.Server != url })
}

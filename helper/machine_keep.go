package helper

import (
	"context"
	"crypto/rand"
	"errors"

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
	tierNone    = "nowhere: no place for a key, and no secret of 32 characters"
	tierBox     = "file sealed by Windows (DPAPI)"
	tierDerived = "file sealed with a key derived from the secret"
)

const saltLen = 16

// readMachine opens the cached token of a machine identity. Any error means that a new one is needed.
func (h *Helper) readMachine(ctx context.Context, r robot) (credential.Token, error) {
	if r.record.Place == placeNone {
		if t, ok := h.unkept.Load(r.record.ID); ok {
			return t.(credential.Token), nil
		}
		return credential.Token{}, cache.ErrMiss
	}
	t, err := h.Cache.Token(r.record.ID, r.record.Token)
	if errors.Is(err, cache.ErrNoKey) {
		var key credential.Secret
		if key, err = h.machineKey(ctx, r); err == nil {
			t, err = h.Cache.TokenWith(key, r.record.ID, r.record.Token)
		}
	}
	if err == nil && t.Server != r.server {
		return credential.Token{}, cache.ErrMiss
	}
	return t, err
}

// machineKey fetches the data key from where the record says.
func (h *Helper) machineKey(ctx context.Context, r robot) (credential.Secret, error) {
	switch r.record.Place {
	case placeBox:
		return h.Cache.Unbox(r.record.ID)
	case placeDerived:
		key, err := r.Key(r.record.Salt)
		if err == nil && key.IsZero() {
			err = cache.ErrNoKey
		}
		return key, err
	case placeKeychain:
		g, _, err := h.grant(ctx, r.record.SignIn)
		return g.DataKey, err
	}
	return credential.Secret{}, cache.ErrNoKey
}

// keepMachine seals a token under the best key that this system and this identity have, and says so in the record;
// without one it keeps it in the memory of this process alone, which is what a bridge needs.
func (h *Helper) keepMachine(ctx context.Context, r *robot, t credential.Token) error {
	key, err := h.place(ctx, r, t)
	if err == nil && !key.IsZero() {
		err = noTier(h.Cache.Keep(key, r.record.ID, r.record.Token, t))
	}
	if err != nil {
		r.record.Place, r.record.Tier = placeNone, tierNone
	}
	if r.record.Place == placeNone {
		h.unkept.Store(r.record.ID, t)
		err = errors.Join(err, h.Cache.Drop(r.record.ID, r.record.Token))
	}
	return err
}

// place finds a place for a new data key: where hot keys are, else what the system closes for this user, else the
// secret that the process holds. The zero key means that there is none.
func (h *Helper) place(ctx context.Context, r *robot, t credential.Token) (credential.Secret, error) {
	rec, key := &r.record, newDataKey()
	err := h.Cache.Heat(rec.ID, key, t.Expiry)
	if err == nil {
		rec.Place, rec.Tier = placeHot, h.Cache.Tier()
		return key, nil
	}
	if !errors.Is(err, cache.ErrNoTier) {
		return credential.Secret{}, err
	}
	if err := h.Cache.Box(rec.ID, key); err == nil {
		rec.Place, rec.Tier = placeBox, tierBox
		return key, nil
	}
	if h.KeychainKeys && h.lockUp(ctx, r, key) == nil {
		return key, nil
	}
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails (crypto/rand since Go 1.24)
	if key, err = r.Key(salt); err == nil && !key.IsZero() {
		rec.Place, rec.Tier, rec.Salt = placeDerived, tierDerived, salt
		return key, nil
	}
	rec.Place, rec.Tier = placeNone, tierNone
	return credential.Secret{}, err
}

// lockUp puts the data key into a keychain item.
func (h *Helper) lockUp(ctx context.Context, r *robot, key credential.Secret) error {
	kc, err := h.Keychain(ctx, h.Settings(r.server).Store)
	if err == nil {
		err = save(ctx, kc, r.record.ID, "mcp-credential: "+hostOf(r.server)+" ("+r.who.Kind+")", credential.Grant{DataKey: key})
	}
	if err != nil {
		h.Trace("keychain: " + err.Error())
		return err
	}
	r.record.Place, r.record.Tier, r.record.Keychain = placeKeychain, kc.Tier(), kc.Store()
	return nil
}

// eraseMachines takes back tokens of machine identities for a server: the refused one where it is still the cached one,
// or all of them. m is the identity that the question means, nil for none: only it can open a token under a derived key.
func (h *Helper) eraseMachines(ctx context.Context, server string, m Machine, refused credential.Secret) error {
	var bad []error
	for _, rec := range h.machinesAt(server) {
		r := robot{Machine: m, server: server, record: rec}
		if m == nil && rec.Place == placeDerived && !refused.IsZero() {
			continue
		}
		err := h.locked(ctx, rec.ID, credential.LockShort, func() error {
			if t, err := h.readMachine(ctx, r); refused.IsZero() || err == nil && t.Access.Equal(refused) {
				h.Trace("erase: the token of the machine identity")
				h.unkept.Delete(rec.ID)
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

// dropMachines forgets the machine identities at a server, or everywhere where url is empty: tokens, keys and records.
// It returns the servers that had some.
func (h *Helper) dropMachines(ctx context.Context, url string) ([]string, error) {
	var gone []string
	var bad []error
	for _, rec := range h.machinesAt(url) {
		h.unkept.Delete(rec.ID)
		err := h.Cache.Forget(rec.ID)
		if rec.Place == placeKeychain {
			kc, kerr := h.Keychain(ctx, rec.Keychain)
			if kerr == nil {
				kerr = kc.Delete(ctx, rec.ID)
			}
			err = errors.Join(err, kerr)
		}
		if err == nil {
			err = h.Book.DropMachine(rec.ID)
		}
		bad, gone = append(bad, err), append(gone, rec.Server)
	}
	return gone, errors.Join(bad...)
}

// machinesAt lists the records of a server, or all where url is empty. Unreadable ones are warned of.
func (h *Helper) machinesAt(url string) []state.Machine {
	all, err := h.Book.Machines()
	if err != nil {
		h.Warn(err.Error())
	}
	out := all[:0]
	for _, rec := range all {
		if url == "" || rec.Server == url {
			out = append(out, rec)
		}
	}
	return out
}

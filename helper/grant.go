package helper

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
	"github.com/mcp-credential/mcp-credential/state"
)

// dataKeyLen is the length of a data key in bytes (AES-256).
const dataKeyLen = 32

// item is the text of a keychain item. Short names: Windows limits an item to 2560 bytes.
type item struct {
	Version int    `json:"v"`
	Refresh string `json:"rt,omitempty"`
	Client  string `json:"cs,omitempty"`
	Proof   string `json:"pk,omitempty"` // credential.Grant.Key
	Key     []byte `json:"dk"`
}

func encodeGrant(g credential.Grant) ([]byte, error) {
	return json.Marshal(item{Version: 1, Refresh: g.RefreshToken.Reveal(), Client: g.ClientSecret.Reveal(), Proof: g.Key.Reveal(), Key: []byte(g.DataKey.Reveal())})
}

func decodeGrant(data []byte) (credential.Grant, error) {
	var it item
	if json.Unmarshal(data, &it) != nil || it.Version != 1 || len(it.Key) != dataKeyLen {
		return credential.Grant{}, credential.Fail(credential.KeychainBroken, "the keychain item is not one of ours or is damaged", nil)
	}
	return credential.Grant{
		RefreshToken: credential.NewSecret(it.Refresh),
		ClientSecret: credential.NewSecret(it.Client),
		Key:          credential.NewSecret(it.Proof),
		DataKey:      credential.NewSecret(string(it.Key)),
	}, nil
}

// newDataKey makes the key that will seal the access tokens of one sign-in.
func newDataKey() credential.Secret {
	key := make([]byte, dataKeyLen)
	_, _ = rand.Read(key) // never fails (crypto/rand since Go 1.24)
	return credential.NewSecret(string(key))
}

// opened is the secret half of a sign-in as it was read: what the keychain has, and the newer refresh token that is parked
// beside it.
type opened struct {
	credential.Grant
	chain Keychain
	spent []string // fingerprints of the refresh tokens that the parked one has replaced, the keychain's among them
	slot  int      // of the cache, where the next one may be parked
}

// grant reads the secret half of a sign-in. credential.ErrNoItem where the keychain has none.
func (h *Helper) grant(ctx context.Context, si state.SignIn) (credential.Grant, error) {
	o, err := h.open(ctx, si)
	return o.Grant, err
}

func (h *Helper) open(ctx context.Context, si state.SignIn) (opened, error) {
	kc, err := h.Keychain(ctx, si.Keychain)
	if err != nil {
		return opened{}, err
	}
	o := opened{chain: kc}
	data, err := kc.Get(ctx, si.ID)
	if err != nil {
		return o, err
	}
	if o.Grant, err = decodeGrant(data); err != nil {
		return o, err
	}
	return h.withParked(o, si.ID), nil
}

// save makes a grant durable in the keychain.
func save(ctx context.Context, kc Keychain, id, label string, g credential.Grant) error {
	data, err := encodeGrant(g)
	if err != nil {
		return err
	}
	return kc.Set(ctx, id, label, data)
}

// itemLabel is the title of the keychain item, by which a person finds it in the keychain's own window.
func itemLabel(s resolved) string {
	label := "mcp-credential: " + s.server.Name
	if s.signIn.Unbound {
		label = "mcp-credential: " + strings.TrimPrefix(s.server.Issuer, "https://")
	}
	if s.account.Label != "" {
		label += " (" + s.account.Label + ")"
	}
	return label
}

// probeItem is the keychain item that checkWritable puts in and removes.
const probeItem = "probe"

// checkWritable reports why the keychain cannot take an item: locked, read-only, the passphrase is wrong.
func (h logins) checkWritable(ctx context.Context, kc Keychain) error {
	return h.locked(ctx, probeItem, credential.LockWait, func() error {
		if err := kc.Set(ctx, probeItem, "mcp-credential: probe", []byte(probeItem)); err != nil {
			return err
		}
		return kc.Delete(ctx, probeItem)
	})
}

// maxSpent is how many rotations in a row a parked refresh token remembers, while the keychain takes none of them.
const maxSpent = 64

// withParked puts a parked refresh token in place of the one from the keychain, where it has replaced that one at the
// server; of several the last one. Where the keychain holds another one, that is newer: it was written after the parked file,
// which nobody had the time to remove.
func (h *Helper) withParked(o opened, id string) opened {
	all := cache.Parking{Store: h.Cache}.All(o.DataKey, id)
	for range all { // each may have replaced the one before
		now := o.RefreshToken.Fingerprint()
		i := slices.IndexFunc(all, func(p cache.Parked) bool { return slices.Contains(p.Token.Scopes, now) })
		if i < 0 {
			break
		}
		text, err := base64.RawURLEncoding.DecodeString(all[i].Token.Access.Reveal())
		if err != nil || len(text) == 0 {
			break
		}
		h.Trace("keychain: the parked refresh token is newer")
		o.RefreshToken, o.spent, o.slot = credential.NewSecret(string(text)), all[i].Token.Scopes, 1-all[i].Slot
	}
	return o
}

// cannotStore says that nothing can be written to the home.
func (h refreshes) cannotStore(err error) error {
	return credential.Fail(credential.BadHome, "cannot store anything below "+h.Dir.Path, err)
}

// keep returns the function that a source calls with the grant of a response. A rotated refresh token is parked first: sealed
// under the data key, in room that was taken before, which costs one write and one fsync and waits for no keychain. Then the keychain
// gets it, and the parked one goes. An error says that the keychain has not taken it; lost it is only where neither could
// be written, and that is tried for as long as credential.KeepTrying.
func (h refreshes) keep(ctx context.Context, s resolved, o opened, room *cache.ParkingRoom) func(credential.Grant) error {
	ctx = context.WithoutCancel(ctx)
	id, label := s.signIn.ID, itemLabel(s)
	return func(g credential.Grant) error {
		g.DataKey = o.DataKey
		if g.RefreshToken.IsZero() {
			g.RefreshToken = o.RefreshToken
		}
		if g.RefreshToken.Equal(o.RefreshToken) && g.ClientSecret.Equal(o.ClientSecret) {
			return nil
		}
		spent := append(slices.Clone(o.spent), o.RefreshToken.Fingerprint())
		t := credential.Token{
			Access: credential.NewSecret(base64.RawURLEncoding.EncodeToString([]byte(g.RefreshToken.Reveal()))), Obtained: h.Now(),
			Scopes: spent[max(0, len(spent)-maxSpent):],
		}
		o.Grant, o.spent = g, spent
		h.Trace("refresh: answered with another refresh token")
		return h.persist(ctx, func() (stored, safe bool, err error) {
			parked := room.Put(g.DataKey, t)
			if parked == nil {
				h.traceSince("the rotated refresh token is durable", g.Answered)
			}
			if err := save(ctx, o.chain, id, label, g); err != nil {
				return false, parked == nil, errors.Join(err, parked)
			}
			h.traceSince("keychain: the rotated refresh token is stored", g.Answered)
			if err := (cache.Parking{Store: h.Cache}).DropAll(id); err != nil { // no longer used: the keychain's is another one than it has replaced
				h.Trace("keychain: the parked refresh token stays: " + err.Error())
			}
			h.Trace("keychain: nothing is parked any more")
			return true, true, nil
		})
	}
}

// traceSince says of an event how long after the answer of the authorization server it came, where that is known. "make bench"
// reads it.
func (h refreshes) traceSince(what string, answered time.Time) {
	if !answered.IsZero() {
		what += ", " + h.Now().Sub(answered).Round(time.Microsecond).String() + " after the answer"
	}
	h.Trace(what)
}

// persist calls write until what it writes is safe somewhere, for as long as credential.KeepTrying: this process has the
// only copy.
func (h refreshes) persist(ctx context.Context, write func() (stored, safe bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, credential.KeepTrying)
	defer cancel()
	for pause := pollMost; ; pause = min(pause*2, time.Second) {
		stored, safe, err := write()
		if stored {
			return nil
		}
		if safe || wait.Sleep(ctx, pause) != nil {
			return err
		}
		h.Trace("the rotated refresh token cannot be written to the keychain or the cache; trying again: " + err.Error())
	}
}

package helper

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// dataKeyLen is the length of a data key in bytes (AES-256).
const dataKeyLen = 32

// item is the text of a keychain item. Short names: Windows limits an item to 2560 bytes.
type item struct {
	Version int    `json:"v"`
	Refresh string `json:"rt,omitempty"`
	Client  string `json:"cs,omitempty"`
	Key     []byte `json:"dk"`
}

func encodeGrant(g credential.Grant) ([]byte, error) {
	return json.Marshal(item{Version: 1, Refresh: g.RefreshToken.Reveal(), Client: g.ClientSecret.Reveal(), Key: []byte(g.DataKey.Reveal())})
}

func decodeGrant(data []byte) (credential.Grant, error) {
	var it item
	if json.Unmarshal(data, &it) != nil || it.Version != 1 || len(it.Key) != dataKeyLen {
		return credential.Grant{}, credential.Fail(credential.KeychainBroken, "the keychain item is not one of ours or is damaged", nil)
	}
	return credential.Grant{
		RefreshToken: credential.NewSecret(it.Refresh),
		ClientSecret: credential.NewSecret(it.Client),
		DataKey:      credential.NewSecret(string(it.Key)),
	}, nil
}

// newDataKey makes the key that will seal the access tokens of one sign-in.
func newDataKey() credential.Secret {
	key := make([]byte, dataKeyLen)
	_, _ = rand.Read(key) // never fails (crypto/rand since Go 1.24)
	return credential.NewSecret(string(key))
}

// grant reads the secret half of a sign-in. ErrNoItem where the keychain has none.
func (h *Helper) grant(ctx context.Context, si state.SignIn) (credential.Grant, Keychain, error) {
	kc, err := h.Keychain(ctx, si.Keychain)
	if err != nil {
		return credential.Grant{}, nil, err
	}
	data, err := kc.Get(ctx, si.ID)
	if err != nil {
		return credential.Grant{}, kc, err
	}
	g, err := decodeGrant(data)
	if err != nil {
		return g, kc, err
	}
	return h.withPending(g, si.ID), kc, nil
}

// save makes a grant durable in the keychain.
func save(ctx context.Context, kc Keychain, id, label string, g credential.Grant) error {
	data, err := encodeGrant(g)
	if err != nil {
		return err
	}
	return kc.Set(ctx, id, label, data)
}

// probeItem is the keychain item that takes puts in and removes.
const probeItem = "probe"

// takes reports why the keychain cannot take an item: locked, read-only, the passphrase is wrong.
func (h *Helper) takes(ctx context.Context, kc Keychain) error {
	return h.locked(ctx, probeItem, credential.LockWait, func() error {
		if err := kc.Set(ctx, probeItem, "mcp-credential: probe", []byte(probeItem)); err != nil {
			return err
		}
		return kc.Delete(ctx, probeItem)
	})
}

// pendingName is the token name under which a rotated refresh token waits, sealed, when the keychain would not take it.
const pendingName = "00000000000000000000"

// park seals a rotated refresh token under the data key into a cache file: the keychain has just refused to store it,
// and losing it would end the sign-in. The next reader of the grant finds it there.
func (h *Helper) park(g credential.Grant, id string) error {
	return h.Cache.Keep(g.DataKey, id, pendingName, credential.Token{
		Access: credential.NewSecret(base64.RawURLEncoding.EncodeToString([]byte(g.RefreshToken.Reveal()))), Obtained: h.Now(),
	})
}

// withPending puts a parked refresh token in place of the one from the keychain, which it replaced at the server.
func (h *Helper) withPending(g credential.Grant, id string) credential.Grant {
	t, err := h.Cache.TokenWith(g.DataKey, id, pendingName)
	if err != nil {
		return g
	}
	text, err := base64.RawURLEncoding.DecodeString(t.Access.Reveal())
	if err == nil && len(text) > 0 {
		h.Trace("keychain: a newer refresh token was waiting beside it")
		g.RefreshToken = credential.NewSecret(string(text))
	}
	return g
}

// keep returns the function that a source calls with the grant of a response: into the keychain, else parked.
func (h *Helper) keep(ctx context.Context, kc Keychain, si state.SignIn, label string, had credential.Grant) func(credential.Grant) error {
	return func(g credential.Grant) error {
		g.DataKey = had.DataKey
		if g.RefreshToken.IsZero() {
			g.RefreshToken = had.RefreshToken
		}
		if g.RefreshToken.Equal(had.RefreshToken) && g.ClientSecret.Equal(had.ClientSecret) {
			return nil
		}
		had = g
		err := save(context.WithoutCancel(ctx), kc, si.ID, label, g)
		if err == nil {
			h.Trace("keychain: the rotated refresh token is stored")
			return h.Cache.Drop(si.ID, pendingName)
		}
		return errors.Join(err, h.park(g, si.ID))
	}
}

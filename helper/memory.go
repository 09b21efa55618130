package helper

import (
	"bytes"
	"context"
	"errors"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
)

// Memories are what servers said last, for each sign-in and machine identity, under its data key.
type Memories struct{ *Helper }

// Recall returns what Remember has kept for a query; nil where that is nothing. The keychain is asked where the key is not hot.
func (h Memories) Recall(ctx context.Context, q credential.Query) ([]byte, error) {
	m, key, err := h.find(ctx, q)
	if err != nil {
		return nil, err
	}
	return h.read(m, key)
}

// Remember keeps what update makes of what was kept before, durably, until the sign-in ends. Where nobody is signed in,
// or there is no key, nothing is kept.
func (h Memories) Remember(ctx context.Context, q credential.Query, update func(old []byte) []byte) error {
	m, _, err := h.find(ctx, q)
	if err != nil {
		return err
	}
	return h.locked(ctx, m.SignIn, credential.LockShort, func() error {
		m, key, err := h.find(ctx, q) // again: it may have ended while we waited
		if err != nil {
			return err
		}
		old, err := h.read(m, key)
		if err != nil {
			return err
		}
		if next := update(old); !bytes.Equal(old, next) {
			return m.Put(key, next)
		}
		return nil
	})
}

// read takes what cannot be opened for nothing: it was sealed under the key of an earlier sign-in.
func (h Memories) read(m cache.Memory, key credential.Secret) ([]byte, error) {
	data, err := m.Get(key)
	if errors.Is(err, cache.ErrMiss) || errors.Is(err, cache.ErrDamaged) {
		return nil, nil
	}
	return data, err
}

// find returns where the memory for a query is, and the key that opens it.
func (h Memories) find(ctx context.Context, q credential.Query) (cache.Memory, credential.Secret, error) {
	s, err := h.resolve(q)
	if machine, merr := machines(h).find(Ask{Query: q}, err); merr != nil {
		return cache.Memory{}, credential.Secret{}, merr
	} else if machine != nil {
		return h.ofMachine(ctx, q.URL, machine)
	}
	if err != nil {
		return cache.Memory{}, credential.Secret{}, err
	}
	m := h.at(s.signIn.ID, s.server.URL)
	key, err := h.Cache.HotKey(m.SignIn)
	if err != nil {
		g, gerr := h.grant(ctx, s.signIn)
		key, err = g.DataKey, gerr
	}
	return m, key, err
}

func (h Memories) ofMachine(ctx context.Context, server string, machine Machine) (cache.Memory, credential.Secret, error) {
	r, err := machines(h).identity(server, machine)
	if err != nil {
		return cache.Memory{}, credential.Secret{}, err
	}
	m := h.at(r.record.ID, server)
	key, err := h.Cache.HotKey(m.SignIn)
	if err != nil {
		key, err = r.dataKey(ctx)
	}
	return m, key, err
}

func (h Memories) at(signIn, server string) cache.Memory {
	return cache.Memory{Store: h.Cache, SignIn: signIn, ID: credential.TokenID(signIn, server, "", nil)}
}

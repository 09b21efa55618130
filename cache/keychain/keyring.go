package keychain

import (
	"context"
	"errors"

	"github.com/99designs/keyring"

	"github.com/mcp-credential/mcp-credential/credential"
)

// keyringStore is a raw store in a keyring of github.com/99designs/keyring. The library knows no context: a call that
// outlives its context is left behind in its goroutine, together with the child it may have started (pass), and later
// calls wait for it, each no longer than its own context. That costs little, because the process is about to end.
type keyringStore struct {
	keyring keyring.Keyring
	turn    chan struct{}     // holds one token: the file backend is not safe for concurrent use
	judge   func(error) error // makes a raw store's error of the library's
}

// openKeyring opens one backend. keyring.Open hides the errors of a backend and takes the next: with exactly one allowed
// there is no next.
func openKeyring(backend keyring.BackendType, c keyring.Config, judge func(error) error) (*keyringStore, error) {
	c.AllowedBackends = []keyring.BackendType{backend}
	k, err := keyring.Open(c)
	if err != nil {
		return nil, credential.Fail(credential.KeychainMissing, "the keychain cannot be opened", err)
	}
	r := &keyringStore{keyring: k, turn: make(chan struct{}, 1), judge: judge}
	r.turn <- struct{}{}
	return r, nil
}

func (r *keyringStore) get(ctx context.Context, key string) ([]byte, error) {
	return r.call(ctx, func() ([]byte, error) {
		item, err := r.keyring.Get(key)
		return item.Data, err
	})
}

func (r *keyringStore) set(ctx context.Context, key, label string, value []byte) error {
	_, err := r.call(ctx, func() ([]byte, error) {
		return nil, r.keyring.Set(keyring.Item{Key: key, Label: label, Data: value, KeychainNotSynchronizable: true})
	})
	return err
}

func (r *keyringStore) remove(ctx context.Context, key string) error {
	_, err := r.call(ctx, func() ([]byte, error) { return nil, r.keyring.Remove(key) })
	if errors.Is(err, credential.ErrNoItem) {
		return nil
	}
	return err
}

// call runs f until ctx ends.
func (r *keyringStore) call(ctx context.Context, f func() ([]byte, error)) ([]byte, error) {
	select {
	case <-r.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type result struct {
		value []byte
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		r.turn <- struct{}{}
		done <- result{value, err}
	}()
	select {
	case got := <-done:
		return got.value, r.explain(got.err)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *keyringStore) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrKeyNotFound):
		return credential.ErrNoItem
	}
	return r.judge(err)
}

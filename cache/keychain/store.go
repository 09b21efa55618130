package keychain

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// raw is what a backend has to offer: values under keys, for one home. Keys are ids, perhaps with the suffixes that
// slots and chunks add ('.' and digits).
type raw interface {
	// get returns credential.ErrNoItem for an absent key, errDamaged for a value that was certainly cut off in the middle, and an
	// unreadable error where it cannot tell that from a value it may not read just now.
	get(ctx context.Context, key string) ([]byte, error)
	// set makes value durable. Killed in the middle it may leave a damaged value.
	set(ctx context.Context, key, label string, value []byte) error
	// remove deletes a key; an absent one is no error.
	remove(ctx context.Context, key string) error
}

// errDamaged says that a value is not whole.
var errDamaged = errors.New("the keychain item is damaged")

// unreadable wraps the error of a value that is either damaged or not to be read just now.
type unreadable struct{ error }

// Unwrap returns the error to report when it has to be taken at its word.
func (u unreadable) Unwrap() error { return u.error }

// store makes a Keychain of a raw store whose set is atomic: it judges ids, bounds waits and types errors.
type store struct {
	raw  raw
	name string
	tier string
	wait time.Duration // the end of one operation
}

func (s *store) Tier() string  { return s.tier }
func (s *store) Store() string { return s.name }

func (s *store) Get(ctx context.Context, id string) ([]byte, error) {
	var value []byte
	err := s.do(ctx, id, func(ctx context.Context) (err error) {
		value, err = s.raw.get(ctx, id)
		return err
	})
	return value, err
}

func (s *store) Set(ctx context.Context, id, label string, value []byte) error {
	label = credential.Printable(strings.ToValidUTF8(label, "?"), 200)
	return s.do(ctx, id, func(ctx context.Context) error { return s.raw.set(ctx, id, label, value) })
}

func (s *store) Delete(ctx context.Context, id string) error {
	return s.do(ctx, id, func(ctx context.Context) error { return s.raw.remove(ctx, id) })
}

func (s *store) do(ctx context.Context, id string, f func(context.Context) error) error {
	if !validID(id) {
		return credential.Fail(credential.Internal, "malformed keychain item id", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	return s.explain(f(ctx))
}

// explain gives every error but credential.ErrNoItem a kind.
func (s *store) explain(err error) error {
	var typed *credential.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, credential.ErrNoItem):
		return credential.ErrNoItem
	case errors.As(err, &typed):
		return typed
	case errors.Is(err, context.DeadlineExceeded):
		return credential.Fail(credential.KeychainBroken, s.tier+" did not answer in time", err)
	}
	return credential.Fail(credential.KeychainBroken, s.tier+" failed", err)
}

// wait is how long an operation may take.
func wait(maybeAsks bool) time.Duration {
	if maybeAsks {
		return credential.KeychainAsk
	}
	return credential.KeychainCall
}

// validID keeps ids free of everything that file names, D-Bus or case-folding file systems could change.
func validID(id string) bool {
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	return id != "" && len(id) <= 64 && strings.IndexFunc(id, bad) < 0
}

package cache

import (
	"errors"
	"os"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
	"github.com/mcp-credential/mcp-credential/internal/home"
)

const (
	tokenFolder = "tokens"
	spareFolder = "spare"   // of tokens that could not be written to the other one
	maxToken    = 256 << 10 // bytes of a token file; credential.CheckBearer allows 64 KiB for the access token alone
)

// hotUnknown is how long a key stays hot for a token whose expiry is unknown; after it the core asks the keychain again.
const hotUnknown = 12 * time.Hour

// Store is the cache in one home directory. Any number of processes and goroutines may use it at once; Keep, Drop
// and Forget are called under the sign-in's lock, or they undo each other.
type Store struct {
	dir  home.Dir
	keys Keys
	now  func() time.Time
}

// Open returns the cache in dir. It touches nothing; what is missing is made when it is first written.
func Open(dir home.Dir, keys Keys) *Store {
	return &Store{dir: dir, keys: keys, now: time.Now}
}

// Token opens a cached token, expired or not, with the hot key. It returns ErrMiss without a token file, ErrNoKey
// without a hot key, and an error that matches ErrDamaged where file and key do not fit. What the token may be used
// for is for the caller to judge: see its Server, Issuer and Resource.
func (s *Store) Token(signIn, tokenID string) (credential.Token, error) {
	return s.newest(signIn, tokenID, func() (credential.Secret, error) { return s.HotKey(signIn) })
}

// TokenWith is Token with a key from elsewhere, 32 raw bytes.
func (s *Store) TokenWith(key credential.Secret, signIn, tokenID string) (credential.Token, error) {
	return s.newest(signIn, tokenID, func() (credential.Secret, error) { return key, checkKey(key) })
}

// newest opens the token file, and the spare one where there is one: the token that was obtained later counts.
func (s *Store) newest(signIn, tokenID string, key func() (credential.Secret, error)) (credential.Token, error) {
	t, err := s.open(tokenFolder, signIn, tokenID, key)
	spare, serr := s.open(spareFolder, signIn, tokenID, key)
	if serr == nil && (err != nil || spare.Obtained.After(t.Obtained)) || errors.Is(err, ErrMiss) {
		return spare, serr
	}
	return t, err
}

func (s *Store) open(folder, signIn, tokenID string, key func() (credential.Secret, error)) (credential.Token, error) {
	path, err := s.path(folder, signIn, tokenID)
	if err != nil {
		return credential.Token{}, err
	}
	data, err := read(path, maxToken)
	if err != nil {
		return credential.Token{}, err
	}
	k, err := key()
	if err != nil {
		return credential.Token{}, err // not the file's fault
	}
	t, err := open(k, name{s.dir.ID, signIn, tokenID}, data)
	if err != nil {
		return credential.Token{}, &DamagedError{Path: path, Err: err}
	}
	return t, nil
}

// Keep is Put, and heats the key until the token's expiry; a key that is hot for longer stays so. ErrNoTier means that
// the token is kept but its key cannot be hot.
func (s *Store) Keep(key credential.Secret, signIn, tokenID string, t credential.Token) error {
	if err := s.Put(key, signIn, tokenID, t); err != nil {
		return err
	}
	return s.Heat(signIn, key, t.Expiry)
}

// Heat keeps the key of a sign-in hot until then, and not for a shorter time than it already is; zero stands for an
// unknown expiry. A different key replaces the old one. ErrNoTier means that the system has no place for hot keys.
func (s *Store) Heat(signIn string, key credential.Secret, until time.Time) error {
	if err := errors.Join(checkIDs(signIn), checkKey(key)); err != nil {
		return err
	}
	ttl := hotUnknown
	if !until.IsZero() {
		ttl = until.Sub(s.now())
	}
	return s.keys.Put(signIn, []byte(key.Reveal()), ttl)
}

// Drop removes a token; a missing one is no error.
func (s *Store) Drop(signIn, tokenID string) error {
	if err := checkIDs(signIn, tokenID); err != nil {
		return err
	}
	return errors.Join(
		ignoreMissing(os.Remove(s.dir.File(tokenFolder, signIn, tokenID))),
		ignoreMissing(os.Remove(s.dir.File(spareFolder, signIn, tokenID))),
	)
}

// DropIf removes a token where it is still the refused one, and reports whether it did: a caller that is late must
// not throw away what a sibling has just refreshed.
func (s *Store) DropIf(key credential.Secret, signIn, tokenID string, refused credential.Secret) (bool, error) {
	t, err := s.TokenWith(key, signIn, tokenID)
	if errors.Is(err, ErrMiss) {
		return false, nil
	}
	if err != nil || !t.Access.Equal(refused) {
		return false, err
	}
	return true, s.Drop(signIn, tokenID)
}

// Forget removes the hot key of a sign-in, its tokens, its pointers and what its servers said. It goes on after an error.
func (s *Store) Forget(signIn string) error {
	if err := checkIDs(signIn); err != nil {
		return err
	}
	return errors.Join(
		s.keys.Drop(signIn),
		atomicfile.RemoveFolder(s.dir.File(tokenFolder, signIn)),
		atomicfile.RemoveFolder(s.dir.File(spareFolder, signIn)),
		atomicfile.RemoveFolder(s.dir.File(memoryFolder, signIn)),
		s.Unpoint(func(p Pointer) bool { return p.SignIn == signIn }),
	)
}

func (s *Store) path(folder, signIn, tokenID string) (string, error) {
	if err := checkIDs(signIn, tokenID); err != nil {
		return "", err
	}
	return s.dir.File(folder, signIn, tokenID), nil
}

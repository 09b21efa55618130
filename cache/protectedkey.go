package cache

import (
	"errors"

	"github.com/mcp-credential/mcp-credential/credential"
)

const (
	keyFile    = "key" // beside the tokens that the key opens
	maxKeyFile = 4096  // bytes
)

// ProtectKey keeps a data key in a file that the operating system closes for everybody but this user: DPAPI on Windows, where
// a service has no Credential Manager. ErrNoTier means that this system has nothing of the kind.
func (s *Store) ProtectKey(signIn string, key credential.Secret) error {
	if err := errors.Join(checkIDs(signIn), checkKey(key)); err != nil {
		return err
	}
	data, err := protect([]byte(key.Reveal()))
	if err != nil {
		return err
	}
	return write(s.dir.File(tokenFolder, signIn, keyFile), data, maxKeyFile)
}

// UnprotectKey returns the key that ProtectKey has kept, ErrMiss without one, and an error that matches ErrDamaged for a file that
// does not open.
func (s *Store) UnprotectKey(signIn string) (credential.Secret, error) {
	if err := checkIDs(signIn); err != nil {
		return credential.Secret{}, err
	}
	path := s.dir.File(tokenFolder, signIn, keyFile)
	data, err := read(path, maxKeyFile)
	if err != nil {
		return credential.Secret{}, err
	}
	key, err := unprotect(data)
	if err == nil && len(key) != keySize {
		err = errSealed
	}
	if err != nil {
		return credential.Secret{}, &DamagedError{Path: path, Err: err}
	}
	return credential.NewSecret(string(key)), nil
}

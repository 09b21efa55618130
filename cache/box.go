package cache

import (
	"errors"

	"github.com/mcp-credential/mcp-credential/credential"
)

const (
	boxFile = "key" // beside the tokens that the key opens
	maxBox  = 4096  // bytes
)

// Box keeps a data key in a file that the operating system closes for everybody but this user: DPAPI on Windows, where
// a service has no Credential Manager. ErrNoTier means that this system has nothing of the kind.
func (s *Store) Box(signIn string, key credential.Secret) error {
	if err := errors.Join(checkIDs(signIn), checkKey(key)); err != nil {
		return err
	}
	data, err := closeBox([]byte(key.Reveal()))
	if err != nil {
		return err
	}
	return write(s.dir.File(tokenFolder, signIn, boxFile), data, maxBox)
}

// Unbox returns the key that Box has kept, ErrMiss without one, and an error that matches ErrDamaged for a file that
// does not open.
func (s *Store) Unbox(signIn string) (credential.Secret, error) {
	if err := checkIDs(signIn); err != nil {
		return credential.Secret{}, err
	}
	path := s.dir.File(tokenFolder, signIn, boxFile)
	data, err := read(path, maxBox)
	if err != nil {
		return credential.Secret{}, err
	}
	key, err := openBox(data)
	if err == nil && len(key) != keySize {
		err = errSealed
	}
	if err != nil {
		return credential.Secret{}, &DamagedError{Path: path, Err: err}
	}
	return credential.NewSecret(string(key)), nil
}

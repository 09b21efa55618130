package cache

import (
	"errors"
	"os"

	"github.com/mcp-credential/mcp-credential/credential"
)

// MaxMemory bounds what can be remembered of one server for one sign-in, in bytes.
const MaxMemory = 4 << 20

const (
	memoryFolder = "memory"
	overhead     = 1 << 10 // bytes of a sealed file beside what it holds: more than header, nonce and tag
)

// HotKey returns the data key of a sign-in while it is hot, else ErrNoKey.
func (s *Store) HotKey(signIn string) (credential.Secret, error) {
	key, err := s.keys.Get(signIn)
	if err != nil || len(key) != keySize {
		return credential.Secret{}, ErrNoKey
	}
	return credential.NewSecret(string(key)), nil
}

// Memory is what a server last said to whoever is signed in as signIn, sealed as a token is. id is a TokenID. Put and Drop
// are called under the sign-in's lock.
type Memory struct {
	Store      *Store
	SignIn, ID string
}

func (m Memory) name() name { return name{m.Store.dir.ID, m.SignIn, "memory:" + m.ID} }

func (m Memory) path() (string, error) {
	return m.Store.dir.File(memoryFolder, m.SignIn, m.ID), checkIDs(m.SignIn, m.ID)
}

// Get returns ErrMiss where nothing is remembered, and an error that matches ErrDamaged where file and key do not fit.
func (m Memory) Get(key credential.Secret) ([]byte, error) {
	path, err := m.path()
	if err != nil {
		return nil, err
	}
	file, err := read(path, MaxMemory+overhead)
	if err != nil {
		return nil, err
	}
	data, err := unsealBytes(key, m.name(), file)
	if err != nil {
		return nil, &DamagedError{Path: path, Err: err}
	}
	return data, nil
}

// Put replaces what is remembered. More than MaxMemory is an error.
func (m Memory) Put(key credential.Secret, data []byte) error {
	path, err := m.path()
	if err != nil {
		return err
	}
	sealed, err := sealBytes(key, m.name(), data)
	if err != nil {
		return err
	}
	return write(path, sealed, MaxMemory+overhead)
}

// Drop forgets; where nothing is remembered that is no error.
func (m Memory) Drop() error {
	path, err := m.path()
	return errors.Join(err, ignoreMissing(os.Remove(path)))
}

package cache

import (
	"os"
	"path/filepath"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
)

// reservedSize is what Reserve takes of the disk in bytes: more than a token file of any identity provider known to us.
const reservedSize = 64 << 10

// Reservation is a token file whose place on the disk is taken before the token is known, so that neither a full disk nor a
// folder that cannot be written to is found out when the only copy of a token is in memory. It belongs to one goroutine.
type Reservation struct {
	store           *Store
	signIn, tokenID string
	file            *atomicfile.Prepared // nil once it is used or released
}

// Reserve takes room for a token, in the spare folder where the usual one cannot be written to. Whoever reserves calls
// Release in the end.
func (s *Store) Reserve(signIn, tokenID string) (*Reservation, error) {
	r := &Reservation{store: s, signIn: signIn, tokenID: tokenID}
	return r, s.inEither(signIn, tokenID, func(path string) (err error) {
		r.file, err = atomicfile.Prepare(path, reservedSize)
		return err
	})
}

// Put seals a token under key, 32 raw bytes, into the room, durably. Where that fails, or the room was used before, it
// does so as Store.Put does.
func (r *Reservation) Put(key credential.Secret, t credential.Token) error {
	if file := r.file; file != nil {
		r.file = nil
		data, err := sealed(key, name{r.store.dir.ID, r.signIn, r.tokenID}, t)
		if err != nil {
			file.Discard()
			return err
		}
		if file.Commit(data) == nil {
			return nil
		}
	}
	return r.store.Put(key, r.signIn, r.tokenID, t)
}

// Release gives the room back where it was not used.
func (r *Reservation) Release() {
	if r.file != nil {
		r.file.Discard()
		r.file = nil
	}
}

// Put seals a token under key, 32 raw bytes, and writes it durably, to the spare folder where the usual one cannot be
// written to.
func (s *Store) Put(key credential.Secret, signIn, tokenID string, t credential.Token) error {
	data, err := sealed(key, name{s.dir.ID, signIn, tokenID}, t)
	if err != nil {
		return err
	}
	return s.inEither(signIn, tokenID, func(path string) error { return atomicfile.Write(path, data) })
}

func sealed(key credential.Secret, n name, t credential.Token) ([]byte, error) {
	data, err := seal(key, n, t)
	if err == nil && len(data) > maxToken {
		err = errTooBig
	}
	return data, err
}

// inEither calls write with the usual path of a token, and with the spare one where that fails. The error is the first.
func (s *Store) inEither(signIn, tokenID string, write func(path string) error) error {
	if err := checkIDs(signIn, tokenID); err != nil {
		return err
	}
	var first error
	for _, folder := range []string{tokenFolder, spareFolder} {
		err := inFolder(s.dir.File(folder, signIn, tokenID), write)
		if err == nil {
			return nil
		}
		if first == nil {
			first = credential.Fail(credential.Internal, "cannot write to the cache", err)
		}
	}
	return first
}

// inFolder makes the folder of path if it is missing, sweeps it, and calls write.
func inFolder(path string, write func(path string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	_ = atomicfile.Sweep(dir, leftover)
	return write(path)
}

package cache

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
)

// read returns a cache file of at most max bytes, ErrMiss, or a DamagedError.
func read(path string, max int64) ([]byte, error) {
	data, err := atomicfile.Read(path, max)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMiss
	}
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err // DamagedError names the path
	}
	if err != nil {
		return nil, &DamagedError{Path: path, Err: err}
	}
	return data, nil
}

// leftover is the age at which a temporary file has lost its writer.
const leftover = time.Hour

var errTooBig = credential.Fail(credential.Internal, "the answer is too big for the cache", nil)

// write replaces a cache file and refuses what read would refuse.
func write(path string, data []byte, max int) error {
	if len(data) > max {
		return errTooBig
	}
	err := inFolder(path, func(path string) error { return atomicfile.Write(path, data) })
	if err != nil {
		return credential.Fail(credential.Internal, "cannot write to the cache", err)
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// idSize is the length of the IDs that credential makes.
const idSize = 20

// checkIDs holds every ID that becomes a path, or the name of a key, to what credential makes: lower-case hexadecimal.
func checkIDs(ids ...string) error {
	for _, id := range ids {
		raw, err := hex.DecodeString(id)
		if err != nil || len(id) != idSize || hex.EncodeToString(raw) != id {
			return credential.Fail(credential.Internal, "a cache ID is malformed", nil)
		}
	}
	return nil
}

package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// How often a busy lock is tried again.
const (
	pollFirst = time.Millisecond
	pollLast  = 50 * time.Millisecond
)

// Held is a lock that this process holds.
type Held struct{ file *os.File }

// Lock takes the lock that the file at path stands for, and waits until ctx ends for whoever holds it; then the error
// is of kind StillRefreshing. The kernel owns the lock (flock, LockFileEx): it excludes other processes and other
// calls in this one alike, and is free the moment its holder ends, however that happens. The file, mode 0600, is made
// if it is missing, with its folder, and never removed: a lock on an unlinked file excludes nobody.
func Lock(ctx context.Context, path string) (*Held, error) {
	for pause := pollFirst; ; pause = min(pause*3/2, pollLast) {
		held, ok, err := TryLock(path)
		if ok || err != nil {
			return held, err
		}
		select {
		case <-ctx.Done():
			return nil, credential.Fail(credential.StillRefreshing, "another process is using this sign-in", ctx.Err())
		case <-time.After(pause):
		}
	}
}

// TryLock is Lock without waiting: it reports whether the lock was free.
func TryLock(path string) (*Held, bool, error) {
	file, err := openLock(path)
	if err != nil {
		return nil, false, credential.Fail(credential.Internal, "cannot open a lock file", err)
	}
	ok, err := lock(file)
	if err != nil {
		err = credential.Fail(credential.Internal, "cannot lock "+path, err)
	}
	if !ok || err != nil {
		_ = file.Close()
		return nil, false, err
	}
	return &Held{file: file}, true, nil
}

func openLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

// Release frees the lock. It is called once.
func (h *Held) Release() error {
	return errors.Join(unlock(h.file), h.file.Close())
}

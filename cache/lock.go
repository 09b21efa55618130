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
// if it is missing, with its folder. PruneLocks alone removes one, while it holds it: a lock on a file that is gone excludes nobody,
// so whoever gets one tries again.
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
	for {
		file, err := openLock(path)
		if err != nil {
			return nil, false, credential.Fail(credential.Internal, "cannot open a lock file", err)
		}
		ok, err := lock(file)
		if err != nil {
			err = credential.Fail(credential.Internal, "cannot lock "+path, err)
		}
		if ok && err == nil && at(file, path) {
			return &Held{file: file}, true, nil
		}
		_ = file.Close()
		if !ok || err != nil {
			return nil, false, err
		}
	}
}

// at reports whether the open file is the one at path.
func at(file *os.File, path string) bool {
	mine, err1 := file.Stat()
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(mine, there)
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

package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
)

// Pruning takes out of a cache what nobody will look for again. It may run beside everything else.
type Pruning struct{ *Store }

// SignIns returns the sign-ins and machine identities that have tokens or memories which nobody has added to or taken from since then.
func (s Pruning) SignIns(since time.Time) []string {
	seen := map[string]bool{}
	var out []string
	for _, folder := range []string{tokenFolder, spareFolder, memoryFolder} {
		entries, _ := os.ReadDir(s.dir.File(folder))
		for _, e := range entries {
			info, err := e.Info()
			if err == nil && info.IsDir() && info.ModTime().Before(since) && checkIDs(e.Name()) == nil && !seen[e.Name()] {
				seen[e.Name()] = true
				out = append(out, e.Name())
			}
		}
	}
	return out
}

// Pointers removes the pointers that were written before since, those to sign-ins for which gone returns true, those that cannot be
// read, and what killed writers have left beside them. A question whose pointer is gone is answered by the core, which makes another.
func (s Pruning) Pointers(since time.Time, gone func(signIn string) bool) error {
	dir := s.dir.File(pointerFolder)
	failed := atomicfile.SweepAll(dir, leftover)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignoreMissing(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || len(e.Name()) != 2*pointerSize {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if p, err := readPointer(path); errors.Is(err, ErrDamaged) || err == nil && gone(p.SignIn) || info.ModTime().Before(since) {
			failed = errors.Join(failed, ignoreMissing(os.Remove(path)))
		}
	}
	return failed
}

// PruneLocks removes the lock files of a folder that were made before since and that nobody holds. Whoever wants such a lock makes the
// file again.
func PruneLocks(dir string, since time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignoreMissing(err)
	}
	var failed error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(e.Name(), ".lock") || !info.ModTime().Before(since) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		held, ok, err := TryLock(path)
		if ok {
			_ = os.Remove(path) // Windows removes no open file: there it stays
			err = held.Release()
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

package state

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
)

// Cooldowns are marks that many processes see, each good for a while.
type Cooldowns struct{ Records }

// Start sets the mark name to now and reports true, unless it was set less than rest ago: then it reports false. A mark
// in the future (the clock went back) counts as old. The caller holds the lock that guards the mark.
func (b Cooldowns) Start(name string, now time.Time, rest time.Duration) (bool, error) {
	if b.Active(name, now, rest) {
		return false, nil
	}
	path := b.Dir.File("marks", name)
	err := b.folder("marks")
	if err == nil {
		err = os.WriteFile(path, nil, 0o600)
	}
	if err == nil {
		err = os.Chtimes(path, now, now)
	}
	if err != nil {
		return false, b.unusable(err)
	}
	return true, nil
}

// Active reports whether the mark was set less than rest before now.
func (b Cooldowns) Active(name string, now time.Time, rest time.Duration) bool {
	info, err := os.Stat(b.Dir.File("marks", name))
	if err != nil {
		return false
	}
	age := now.Sub(info.ModTime())
	return age >= 0 && age < rest
}

// End removes the mark.
func (b Cooldowns) End(name string) { _ = os.Remove(b.Dir.File("marks", name)) }

// Writable reports why nothing can be stored here: the folder is read-only or the disk is full. It writes and removes
// as much as a refresh will need, because a refresh token must not be spent where its successor cannot be kept.
func (b Records) Writable() error {
	err := b.folder("marks")
	if err == nil {
		err = probe(b.Dir.File("marks"))
	}
	if err != nil {
		return b.unusable(err)
	}
	return nil
}

func (b Records) unusable(err error) error {
	var typed *credential.Error
	if errors.As(err, &typed) {
		return err
	}
	return credential.Fail(credential.BadHome, "cannot store anything below "+b.Dir.Path, err)
}

// probeSize is as much as a refresh writes: a token, its pointer, two records and a split keychain item.
const probeSize = 128 << 10

func probe(dir string) error {
	_ = atomicfile.Sweep(dir, leftover)
	room, err := atomicfile.Prepare(filepath.Join(dir, "probe"), probeSize)
	if err == nil {
		room.Discard()
	}
	return err
}

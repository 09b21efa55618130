package state

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
)

// StartCooldown sets the mark name to now and reports true, unless it was set less than rest ago: then it reports false. A mark
// in the future (the clock went back) counts as old. The caller holds the lock that guards the mark.
func (b Records) StartCooldown(name string, now time.Time, rest time.Duration) (bool, error) {
	if b.InCooldown(name, now, rest) {
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

// InCooldown reports whether the mark was set less than rest before now.
func (b Records) InCooldown(name string, now time.Time, rest time.Duration) bool {
	info, err := os.Stat(b.Dir.File("marks", name))
	if err != nil {
		return false
	}
	age := now.Sub(info.ModTime())
	return age >= 0 && age < rest
}

// EndCooldown removes the mark.
func (b Records) EndCooldown(name string) { _ = os.Remove(b.Dir.File("marks", name)) }

// Notice leaves one sentence for the next get of the sign-in that was asked to tell (--notify).
func (b Records) Notice(signIn, text string) error {
	return b.write(text, "notices", signIn+".json")
}

// TakeNotice returns the sentence and removes it; of many callers one gets it. Without one it returns "".
func (b Records) TakeNotice(signIn string) string {
	text, _ := take[string](b, signIn)
	return text
}

// PutFailure leaves how an offered sign-in ended for the process that waits for it.
func (b Records) PutFailure(name string, f Failure) error {
	return b.write(f, "notices", name+".json")
}

// Failure returns what PutFailure left, and leaves it to whoever takes it.
func (b Records) Failure(name string) (Failure, bool) {
	var f Failure
	return f, b.read(&f, "notices", name+".json") == nil
}

// TakeFailure returns what PutFailure left and removes it; of many callers one gets it.
func (b Records) TakeFailure(name string) (Failure, bool) { return take[Failure](b, name) }

// take renames before it reads, so that of many takers one succeeds.
func take[T any](b Records, name string) (T, bool) {
	var v T
	from, mine := b.Dir.File("notices", name+".json"), name+".taken"
	if os.Rename(from, b.Dir.File("notices", mine)) != nil {
		return v, false
	}
	defer os.Remove(b.Dir.File("notices", mine))
	return v, b.read(&v, "notices", mine) == nil
}

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

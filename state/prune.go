package state

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
)

// How long what nobody has taken or looked at stays. Marks are good for minutes.
const (
	markLife   = 24 * time.Hour
	noticeLife = 30 * 24 * time.Hour
)

// Pruning takes out of the records what nobody will look for again.
type Pruning struct{ Records }

// Prune removes marks and notices of long ago, and what killed writers have left in any folder of records. It may run beside
// everything else.
func (b Pruning) Prune(now time.Time) error {
	var failed error
	for _, folder := range []string{"servers", "signins", "machines", "marks", "notices"} {
		failed = errors.Join(failed, atomicfile.SweepAll(b.Dir.File(folder), leftover))
	}
	failed = errors.Join(failed, b.removeOld("marks", func(string) time.Time { return now.Add(-markLife) }))
	return errors.Join(failed, b.removeOld("notices", func(name string) time.Time {
		if strings.HasSuffix(name, ".taken") { // whoever took it was killed before it could remove it
			return now.Add(-leftover)
		}
		return now.Add(-noticeLife)
	}))
}

// removeOld removes the files of a folder that were last changed before the time that limit has for their name.
func (b Pruning) removeOld(folder string, limit func(name string) time.Time) error {
	entries, err := os.ReadDir(b.Dir.File(folder))
	if err != nil {
		return nil // there is none
	}
	var failed error
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.ModTime().Before(limit(e.Name())) {
			failed = errors.Join(failed, b.remove(folder, e.Name()))
		}
	}
	return failed
}

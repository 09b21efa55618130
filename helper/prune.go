package helper

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// When a home is pruned, and of what.
const (
	pruneMark   = "pruned"
	pruneRest   = 24 * time.Hour      // from one pruning to the next
	orphanAge   = 24 * time.Hour      // tokens without a sign-in: one that is just being made has its tokens before its record
	pointerAge  = 90 * 24 * time.Hour // a pointer is made again at the cost of one cold get
	lockFileAge = 30 * 24 * time.Hour
)

// Pruner removes from a home what nobody will look for again.
type Pruner struct{ *Helper }

// Prune runs at most once a day in a home, in a process that nobody waits for. What cannot be removed is told by Trace alone.
func (h Pruner) Prune(ctx context.Context) {
	now := h.Now()
	mine, err := state.Cooldowns{Records: h.Records}.Start(pruneMark, now, pruneRest)
	if err != nil || !mine {
		return
	}
	pruning := cache.Pruning{Store: h.Cache}
	for _, id := range pruning.SignIns(now.Add(-orphanAge)) {
		if h.gone(id) {
			err = errors.Join(err, h.forget(ctx, id))
		}
	}
	seen := map[string]bool{}
	gone := func(signIn string) bool {
		is, ok := seen[signIn]
		if !ok {
			is = h.gone(signIn)
			seen[signIn] = is
		}
		return is
	}
	err = errors.Join(err, pruning.Pointers(now.Add(-pointerAge), gone), state.Pruning{Records: h.Records}.Prune(now))
	if path, perr := h.Records.LockPath("servers"); perr == nil {
		err = errors.Join(err, cache.PruneLocks(filepath.Dir(path), now.Add(-lockFileAge)))
	}
	if err != nil {
		h.Trace("prune: " + err.Error())
		return
	}
	h.Trace("prune: done")
}

// gone reports whether there is neither a sign-in nor a machine identity of that name. A record that cannot be read counts as there.
func (h Pruner) gone(id string) bool {
	_, err := h.Records.SignIn(id)
	_, merr := h.Records.Machine(id)
	return errors.Is(err, state.ErrNone) && errors.Is(merr, state.ErrNone)
}

// forget removes what is cached for a sign-in that is gone, unless it has been made anew.
func (h Pruner) forget(ctx context.Context, id string) error {
	return h.locked(ctx, id, credential.LockShort, func() error {
		if !h.gone(id) {
			return nil
		}
		return h.Cache.Forget(id)
	})
}

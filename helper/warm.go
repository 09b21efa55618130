package helper

import (
	"errors"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// Warm answers from the cache alone. Nothing in it waits: two small files and one look at the hot key. It is what the
// front program runs.
type Warm struct {
	Cache   *cache.Store
	Records state.Records
	Config  func() (size, mtime int64) // nil: any configuration will do
	Now     func() time.Time
	Trace   func(string)
}

// Warm returns a Warm of the same cache, for any configuration.
func (h *Helper) Warm() Warm {
	return Warm{Cache: h.Cache, Records: h.Records, Now: h.Now, Trace: h.Trace}
}

// ErrCold says that the cache cannot answer and the core must.
var ErrCold = errors.New("not answered by the cache")

// Hit is an answer from the cache.
type Hit struct {
	Token   credential.Token
	SignIn  string
	Account string // label of the sign-in; known where Due is set
	Machine bool   // the token belongs to a machine identity; known where Due is set
	Notify  bool   // the configuration asks for a word about refreshes
	Due     bool   // in its refresh window, and the right to start the refresh is the caller's: it prints first, then starts
}

// Get returns a token that can be handed out now, or ErrCold.
func (w Warm) Get(q credential.Query) (Hit, error) {
	hit, p, err := w.look(q)
	now := w.Now()
	if err != nil || !hit.Token.Due(now) {
		return hit, err
	}
	if si, err := w.Records.SignIn(p.SignIn); err == nil {
		hit.Account = si.Account
		hit.Due, _ = restarts(w.Records, si.For(p.TokenID), now) // a home that cannot be written to still serves what it has
	} else if m, err := w.Records.Machine(p.SignIn); err == nil {
		hit.Machine = true
		hit.Due, _ = restarts(w.Records, m.SignIn, now)
	}
	return hit, nil
}

// Fresh is Get for a caller that leaves refreshes to Helper.Get: it returns a token only where no refresh is due, and
// claims nothing.
func (w Warm) Fresh(q credential.Query) (credential.Token, error) {
	hit, _, err := w.look(q)
	if err == nil && hit.Token.Due(w.Now()) {
		err = w.cold("the token is due for a refresh")
	}
	return hit.Token, err
}

func (w Warm) look(q credential.Query) (Hit, cache.Pointer, error) {
	if q.OriginOf || q.Below {
		if s, err := meant(w.Records, q, w.Trace); err == nil { // else a machine identity may answer
			q.URL, q.OriginOf, q.Below = s.URL, false, false
		}
	}
	p, err := w.Cache.Lookup(q)
	if err != nil {
		return Hit{}, p, w.cold("no pointer for this question")
	}
	if w.Config != nil {
		if size, mtime := w.Config(); size != p.ConfigSize || mtime != p.ConfigMTime {
			return Hit{}, p, w.cold("the configuration has changed")
		}
	}
	t, err := w.Cache.Token(p.SignIn, p.TokenID)
	if err != nil {
		return Hit{}, p, w.cold(err.Error())
	}
	now := w.Now()
	switch {
	case t.Server != q.URL:
		return Hit{}, p, w.cold("the cached token belongs to another server")
	case !t.Valid(now):
		return Hit{}, p, w.cold("the cached token has expired")
	}
	w.Trace("cache: a token that is valid for " + t.Left(now))
	return Hit{Token: t, SignIn: p.SignIn, Notify: p.Notify}, p, nil
}

func (w Warm) cold(why string) error {
	w.Trace("cache: " + why)
	return ErrCold
}

// restarts claims the right to start one refresh process for the sign-in: at most one a second unless that one has succeeded,
// none while one is at work and none before the time that the last failure asked for. Where all that it could do is offer
// a sign-in, it is one in offerRest. Losing a race here costs a process that finds nothing to do, never a second token
// request.
func restarts(records state.Records, si state.SignIn, now time.Time) (bool, error) {
	if si.Resting(now) {
		return false, nil
	}
	gate, err := records.LockPath(si.Work() + ".start")
	if err != nil {
		return false, err
	}
	held, ok, err := cache.TryLock(gate)
	if err != nil || !ok {
		return false, err
	}
	defer held.Release()
	running, err := busy(records, si.Work())
	if err != nil || running {
		return false, err
	}
	pause := time.Second
	if ended(si, now) {
		pause = offerRest
	}
	return state.Cooldowns{Records: records}.Start(startMark(si.Work()), now, pause)
}

// offerRest is short, because the caller that takes the right may be one that asks nobody; the cooldown of offers is kept
// by the process that is started.
const offerRest = 5 * time.Second

// startMark names the mark of a refresh process that was started and may not have got to its lock yet.
func startMark(work string) string { return "start-" + work }

// busy reports whether a refresh is at work (see state.SignIn.Work).
func busy(records state.Records, work string) (bool, error) {
	path, err := records.LockPath(work)
	if err != nil {
		return false, err
	}
	held, ok, err := cache.TryLock(path)
	if ok {
		_ = held.Release()
	}
	return !ok, err
}

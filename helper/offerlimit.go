package helper

import (
	"context"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// offerLimit allows one offer of a sign-in at a time for a server and account, and one in each cooldown, across all
// processes. The process that makes the offer holds the lock for as long as a person may act on it. A second, short
// cooldown stands in for the lock of a process that was launched and has not taken it yet. Lock and cooldowns are
// examined together under another lock, the gate, which nobody holds for long.
type offerLimit struct {
	records state.Records
	name    string
	now     func() time.Time
}

// limitOf returns the limit for a query. Its scopes do not matter: a server that asks for ever more of them opens no more
// tabs.
func limitOf(h *Helper, q credential.Query) offerLimit {
	return offerLimit{records: h.Records, name: "prompt-" + credential.SignInID("", "", q.Account, q.URL), now: h.Now}
}

// offerState says whether a sign-in can be offered.
type offerState int

const (
	available offerState = iota // nothing is open, and the cooldown is over
	paused                      // nothing is open, and the cooldown is not over
	open                        // a person is being asked by some process
)

// claim takes the right to offer a sign-in where one is available. For an offer in this process it returns the lock, which
// the caller releases or passes to withdraw; for one in a process that the caller launches, the short cooldown stands in for
// it. The cooldown of a fleeting offer starts when that ends, any other one here.
func (b offerLimit) claim(ctx context.Context, a Ask) (*cache.Held, offerState, error) {
	gate, err := b.gate(ctx)
	if credential.KindOf(err) == credential.StillRefreshing {
		return nil, open, nil // so many are looking that somebody has asked
	}
	if err != nil {
		return nil, open, err
	}
	defer gate.Release()
	held, how, err := b.look(a.Again)
	if err != nil || how != available {
		return nil, how, err
	}
	state.Notices{Records: b.records}.TakeFailure(b.name) // of an earlier offer that nobody waited for
	if !a.Fleeting {
		_, err = state.Cooldowns{Records: b.records}.Start(b.name, b.now(), credential.PromptRest)
	}
	if a.Terminal && err == nil {
		return held, available, nil
	}
	defer held.Release()
	if err == nil {
		_, err = state.Cooldowns{Records: b.records}.Start(startMark(b.name), b.now(), credential.OfferStart)
	}
	return nil, available, err
}

func (b offerLimit) gate(ctx context.Context) (*cache.Held, error) {
	return b.lock(ctx, b.name+".start")
}

// look returns the state, and the lock where that is available; again: the cooldown does not count. The caller holds the gate.
func (b offerLimit) look(again bool) (*cache.Held, offerState, error) {
	if (state.Cooldowns{Records: b.records}).Active(startMark(b.name), b.now(), credential.OfferStart) { // before the lock: it is taken before the mark goes
		return nil, open, nil
	}
	path, err := b.records.LockPath(b.name)
	if err != nil {
		return nil, open, err
	}
	held, free, err := cache.TryLock(path)
	if err != nil || !free {
		return nil, open, err
	}
	if !again && (state.Cooldowns{Records: b.records}).Active(b.name, b.now(), credential.PromptRest) {
		return nil, paused, held.Release()
	}
	return held, available, nil
}

// busy reports whether a person is being asked. What cannot be told counts as yes.
func (b offerLimit) busy(ctx context.Context) bool {
	gate, err := b.gate(ctx)
	if err != nil {
		return true
	}
	defer gate.Release()
	held, how, err := b.look(false)
	if held != nil {
		_ = held.Release()
	}
	return how == open || err != nil
}

// begin takes the lock in a process that was launched to make the offer.
func (b offerLimit) begin(ctx context.Context) (*cache.Held, error) {
	held, err := b.lock(ctx, b.name)
	if err == nil {
		state.Cooldowns{Records: b.records}.End(startMark(b.name))
	}
	return held, err
}

// withdraw undoes a claim of which no person has seen anything. held is nil where the claim was for another process.
func (b offerLimit) withdraw(held *cache.Held) {
	state.Cooldowns{Records: b.records}.End(b.name)
	state.Cooldowns{Records: b.records}.End(startMark(b.name))
	if held != nil {
		_ = held.Release()
	}
}

func (b offerLimit) lock(ctx context.Context, name string) (*cache.Held, error) {
	path, err := b.records.LockPath(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, credential.LockShort)
	defer cancel()
	return cache.Lock(ctx, path)
}

// Package wait bounds waits. What is waited for is left to the caller.
package wait

import (
	"context"
	"errors"
	"time"
)

// step is how often the time is looked at. A step that took longer than twice as long was slept through.
const step = 250 * time.Millisecond

// WithTimeout is context.WithTimeout for d of running time, exact to two steps: a laptop that sleeps and a process that is
// stopped lose no answer that has come in meanwhile, though their timers are all due on waking, before anything was read. The context has no Deadline, because nobody
// knows how long this process will sleep.
func WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ticks := time.NewTicker(step)
	ctx, cancel := withTimeout(parent, d, time.Now(), ticks.C)
	return ctx, func() { ticks.Stop(); cancel() }
}

func withTimeout(parent context.Context, d time.Duration, last time.Time, ticks <-chan time.Time) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		for left := d; left > 0; {
			select {
			case <-ctx.Done():
				return
			case at := <-ticks:
				left -= min(at.Sub(last), 2*step)
				last = at
			}
		}
		cancel(context.DeadlineExceeded)
	}()
	return timed{ctx}, func() { cancel(context.Canceled) }
}

// timed says of a context that has run out what one of the standard library says.
type timed struct{ context.Context }

func (t timed) Err() error {
	if err := t.Context.Err(); err == nil || !errors.Is(context.Cause(t.Context), context.DeadlineExceeded) {
		return err
	}
	return context.DeadlineExceeded
}

// Sleep waits for d, or until ctx ends, whose error it returns.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// For waits for done, at most d, and then returns context.DeadlineExceeded; where ctx ends first, its error.
func For(ctx context.Context, done <-chan struct{}, d time.Duration) error {
	select {
	case <-done:
		return nil
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	}
}

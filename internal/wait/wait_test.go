package wait

import (
	"context"
	"errors"
	"testing"
	"time"
)

// clock ticks when the test says so.
type clock struct {
	t     *testing.T
	now   time.Time
	ticks chan time.Time
}

// tick lets d pass and has the context look at the time; it returns when that has begun.
func (c *clock) tick(d time.Duration) {
	c.t.Helper()
	c.now = c.now.Add(d)
	select {
	case c.ticks <- c.now:
	case <-time.After(10 * time.Second):
		c.t.Fatal("nobody looks at the time")
	}
}

func start(t *testing.T, parent context.Context, d time.Duration) (*clock, context.Context, context.CancelFunc) {
	c := &clock{t: t, now: time.Unix(0, 0), ticks: make(chan time.Time)}
	ctx, cancel := withTimeout(parent, d, c.now, c.ticks)
	t.Cleanup(cancel)
	return c, ctx, cancel
}

func wantEnd(t *testing.T, ctx context.Context, want error) {
	t.Helper()
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the context does not end")
	}
	if err := ctx.Err(); !errors.Is(err, want) {
		t.Errorf("ended by %v, want %v", err, want)
	}
}

func TestSleepDoesNotCount(t *testing.T) {
	c, ctx, _ := start(t, t.Context(), 10*step)
	for range 4 {
		c.tick(time.Hour) // counts as two steps
	}
	c.tick(step)
	if err := ctx.Err(); err != nil {
		t.Fatalf("ended by %v after nine steps of ten", err)
	}
	c.tick(step)
	wantEnd(t, ctx, context.DeadlineExceeded)
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	wantEnd(t, child, context.DeadlineExceeded)
}

func TestCancel(t *testing.T) {
	_, ctx, cancel := start(t, t.Context(), time.Hour)
	cancel()
	wantEnd(t, ctx, context.Canceled)
	parent, end := context.WithCancel(t.Context())
	_, ctx, _ = start(t, parent, time.Hour)
	end()
	wantEnd(t, ctx, context.Canceled)
	parent, end = context.WithTimeout(t.Context(), 0)
	defer end()
	_, ctx, _ = start(t, parent, time.Hour)
	wantEnd(t, ctx, context.DeadlineExceeded)
}

func TestWithTimeout(t *testing.T) {
	ctx, cancel := WithTimeout(t.Context(), step)
	defer cancel()
	wantEnd(t, ctx, context.DeadlineExceeded)
}

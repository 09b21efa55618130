package testsupport

import (
	"sync"
	"time"
)

// Clock is a time of day that a test moves. Any goroutine may use it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns one that stands at the present.
func NewClock() *Clock { return &Clock{now: time.Now()} }

// Now returns its time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves it by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

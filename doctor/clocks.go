package doctor

import (
	"context"
	"slices"
	"sync"
	"time"
)

// clocks collects how far the clocks of servers are from ours.
type clocks struct {
	mu      sync.Mutex
	offsets []time.Duration // theirs minus ours
}

func (c *clocks) add(theirs, ours time.Time) {
	if theirs.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offsets = append(c.offsets, theirs.Sub(ours))
}

// What clocks may differ by: JWT libraries allow a few minutes.
const (
	clockWrong = 5 * time.Minute
	clockOff   = time.Minute
)

// check says how far this machine's clock is from that of most servers.
func (c *clocks) check(context.Context) Finding {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.offsets) == 0 {
		return warn("no server has said what time it is", "")
	}
	slices.Sort(c.offsets)
	off := c.offsets[len(c.offsets)/2]
	text := "this machine's clock is " + span(off) + " behind the servers'"
	if off < 0 {
		text = "this machine's clock is " + span(off) + " ahead of the servers'"
	}
	const fix = "set the clock, best by time synchronisation"
	switch {
	case off.Abs() >= clockWrong:
		return fail(text, fix)
	case off.Abs() >= clockOff:
		return warn(text, fix)
	}
	return ok("within " + span(off.Abs()+time.Second) + " of the servers'")
}

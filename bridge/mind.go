package bridge

import (
	"context"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// mind looks at the clock as long as the bridge lives: a token is refreshed in its window though nobody calls, what other
// processes have changed is taken over, and connections that were open before the machine slept are not used again,
// because their peers have forgotten them.
func (p *pump) mind(ctx context.Context) {
	for {
		p.keeper.glance(ctx) // the first time while the host says hello
		due := time.Now().Add(p.keeper.pace())
		for left := time.Until(due); left > 0; left = time.Until(due) {
			before, nap := time.Now(), min(left, clockRest)
			if rest(ctx, nap) != nil {
				return
			}
			if slept := overslept(before, time.Now(), nap); slept > sleepLeast {
				p.wake(slept)
				break
			}
		}
	}
}

// How often the clock is looked at, and how much too late it is for a sleep of the machine.
const (
	clockRest  = 5 * time.Second
	sleepLeast = 10 * time.Second
)

// overslept says how much more than a nap lies between two times of day. Go's monotonic clock would not do: in a sleep it
// stands still on Linux and macOS, and goes on on Windows.
func overslept(before, after time.Time, nap time.Duration) time.Duration {
	return after.Round(0).Sub(before.Round(0)) - nap
}

// wake begins with new connections after a sleep, the server's stream among them.
func (p *pump) wake(slept time.Duration) {
	p.Log("the machine has slept for " + slept.Round(time.Second).String())
	webclient.Renew(p.Client)
	p.listen.restart(p)
}

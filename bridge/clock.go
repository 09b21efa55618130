package bridge

import (
	"context"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// watchClock looks at the clock as long as the bridge runs: a token is refreshed in its window though nobody calls, what
// other processes have changed is taken over, and connections that were open before the machine slept are not used again.
func (b *bridge) watchClock(ctx context.Context) {
	for {
		due := time.Now().Add(b.tokens.Poll(ctx)) // the first time while the host begins the handshake
		for left := time.Until(due); left > 0; left = time.Until(due) {
			before, step := time.Now(), min(left, clockStep)
			if wait.Sleep(ctx, step) != nil {
				return
			}
			if slept := overslept(before, time.Now(), step); slept > leastSleep {
				b.Log("the machine has slept for " + slept.Round(time.Second).String())
				b.client.Reconnect()
				break
			}
		}
	}
}

// How often the clock is looked at, and how much too late it is for a sleep of the machine.
const (
	clockStep  = 5 * time.Second
	leastSleep = 10 * time.Second
)

// overslept says how much more than a step lies between two times of day. Go's monotonic clock would not do: in a sleep it
// stands still on Linux and macOS, and goes on on Windows.
func overslept(before, after time.Time, step time.Duration) time.Duration {
	return after.Round(0).Sub(before.Round(0)) - step
}

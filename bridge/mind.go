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
			before := time.Now()
			if rest(ctx, min(left, clockRest)) != nil {
				return
			}
			if slept := time.Now().Round(0).Sub(before.Round(0)) - time.Since(before); slept > sleepLeast {
				p.wake(slept)
				break
			}
		}
	}
}

// How often the clock is looked at, and which difference between the time of day and the time that this process was
// awake is taken for a sleep of the machine.
const (
	clockRest  = 5 * time.Second
	sleepLeast = 10 * time.Second
)

// wake begins with new connections after a sleep, the server's stream among them.
func (p *pump) wake(slept time.Duration) {
	p.Log("the machine has slept for " + slept.Round(time.Second).String())
	webclient.Renew(p.Client)
	p.listen.restart(p)
}

package core

import (
	"os"
	"os/signal"
)

// holdSignals has the signals that end a process wait until release is called: what a refresh spends must be stored. What
// came in between is forgotten, but for those that the command's own context listens to.
func holdSignals() (release func()) {
	held := make(chan os.Signal, 1)
	signal.Notify(held, endingSignals()...)
	return func() { signal.Stop(held) }
}

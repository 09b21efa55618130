package bridge

import (
	"testing"
	"time"
)

// A sleep is seen whether the monotonic clock has stood still in it, as on Linux, or gone on, as on Windows.
func TestOverslept(t *testing.T) {
	before := time.Now()
	for name, after := range map[string]time.Time{"goes on": before.Add(time.Hour), "stands still": before.Round(0).Add(time.Hour)} {
		if got := overslept(before, after, clockStep); got != time.Hour-clockStep {
			t.Errorf("%s: %s", name, got)
		}
	}
}

package token

import (
	"fmt"
	"testing"
	"time"
)

// refusals double their pauses up to a bound, forget what is long past, and are not got around by ever new reasons.
func TestRefusals(t *testing.T) {
	at, r, all := time.Now(), reason{code: "invalid_token"}, refusals{}
	for _, pause := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
		pause *= time.Second
		if all.paused(r, at) {
			t.Fatal("the pause is too long")
		}
		all.add(r, at)
		if !all.paused(r, at.Add(pause-1)) || all.paused(r, at.Add(-time.Second)) {
			t.Fatalf("there is no pause of %s", pause)
		}
		at = at.Add(pause)
	}
	at = at.Add(refusalPauseMost + 1)
	for i := range maxRefusals {
		if r := (reason{scope: fmt.Sprint(i)}); all.paused(r, at) {
			t.Fatalf("reason %d waits", i)
		}
		all.add(reason{scope: fmt.Sprint(i)}, at)
	}
	if !all.paused(r, at) {
		t.Error("a new reason gets a token")
	}
}

package helper

import (
	"errors"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// A clock that goes forward by more than a token's life makes it expired; one that goes back by an hour makes its
// computed expiry worthless. Neither loses the sign-in: one refresh, and the token is as good as its clock.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{2 * time.Hour, -time.Hour} {
		r := newRig(t)
		r.login(Login{})
		warm := Warm{Cache: r.Cache, Records: r.Records, Now: func() time.Time { return r.now }, Trace: func(string) {}}
		if _, err := warm.Get(r.query()); err != nil {
			t.Fatalf("before the jump: %v", err)
		}
		r.now = r.now.Add(jump)
		if _, err := warm.Get(r.query()); !errors.Is(err, ErrCold) {
			t.Fatalf("%v: a token whose expiry is unknowable was answered: %v", jump, err)
		}
		if err := r.refresh(); err != nil {
			t.Fatalf("%v: %v", jump, err)
		}
		got, err := r.get()
		wantAccess(t, got, err, "access-2")
		if r.server.requests != 1 {
			t.Fatalf("%v: %d token requests", jump, r.server.requests)
		}
	}
}

// A clock that is corrected by a few minutes is everyday life and costs nothing.
func TestClockCorrected(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(-credential.ClockTolerance + time.Second)
	got, err := r.get()
	wantAccess(t, got, err, "access-1")
}

// A server that asked to wait by a clock that was an hour ahead holds nobody up longer than it said.
func TestClockBackDuringBackoff(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(2 * time.Hour)
	r.server.fail = errDown
	wantKind(t, r.refresh(), credential.Network)
	r.now = r.now.Add(-3 * time.Hour)
	if err := r.refresh(); err != nil {
		t.Fatal(err)
	}
	got, err := r.get()
	wantAccess(t, got, err, "access-2")
}

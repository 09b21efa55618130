package helper

import (
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/state"
)

// Without the hot key the record says until when the token is valid; only where that is unknown must the keychain be asked.
func TestStatusOfASealedToken(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	expiry := r.resolved().signIn.Expiry
	r.Cache = cache.Open(r.Dir, coldKeys{})
	for _, c := range []struct {
		now   time.Time
		dead  *state.Dead
		state string
	}{
		{expiry.Add(-time.Minute), nil, StateSealed},
		{expiry.Add(time.Minute), nil, StateExpired},
		{expiry.Add(time.Minute), &state.Dead{Reason: "refused"}, StateDead},
	} {
		r.now = c.now
		si := r.resolved().signIn
		si.Dead = c.dead
		if err := r.Records.PutSignIn(si); err != nil {
			t.Fatal(err)
		}
		lines, err := r.Status(t.Context(), "")
		if err != nil || len(lines) != 1 || lines[0].State != c.state || !lines[0].Expiry.Equal(expiry) {
			t.Errorf("%v, %v, want state %s until %v", lines, err, c.state, expiry)
		}
	}
}

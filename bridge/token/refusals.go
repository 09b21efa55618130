package token

import (
	"time"

	"github.com/mcp-credential/mcp-credential/discovery"
)

// reason is what a server wants of the token in place of the one that it refuses (RFC 6750 section 3). It is what two
// challenges have in common that differ in a trace identifier or the time of day.
type reason struct{ code, scope, claims string }

func reasonOf(c discovery.Challenge) reason { return reason{c.Error, c.Scope, c.Claims} }

// The pauses before a token is replaced again for a reason that the new one has not satisfied, and how many such reasons
// there may be: a server must not get around the pauses by asking for something else each time.
const (
	refusalPauseLeast = 5 * time.Second
	refusalPauseMost  = 5 * time.Minute
	maxRefusals       = 16
)

// refusals are the reasons for which a token was replaced and which no request has been seen to satisfy since.
type refusals map[reason]refusal

// refusal is the pause after the last replacement.
type refusal struct {
	pause time.Duration
	until time.Time
}

// paused reports whether no token is to be replaced for r at now.
func (all refusals) paused(r reason, now time.Time) bool {
	for other, past := range all {
		if now.Sub(past.until) > refusalPauseMost {
			delete(all, other)
		}
	}
	last, known := all[r]
	if !known {
		return len(all) >= maxRefusals
	}
	left := last.until.Sub(now)
	return left > 0 && left <= last.pause // else the clock was put back
}

// add remembers that a token was replaced for r.
func (all refusals) add(r reason, now time.Time) {
	pause := refusalPauseLeast
	if last, known := all[r]; known {
		pause = min(2*last.pause, refusalPauseMost)
	}
	all[r] = refusal{pause: pause, until: now.Add(pause)}
}

package signin

import (
	"context"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// Reached is how a sign-in under way has reached the person.
type Reached int

// The ways.
const (
	ByNothing Reached = iota // nobody can be reached from here, or the sign-in is over
	ByBrowser                // in the browser of this machine
	ByHost                   // by an address that the host shows
	ByCode                   // by an address and a code
)

// Invitation is what a person has to do to sign in.
type Invitation struct {
	By    Reached
	Code  Code          // for ByCode
	Again bool          // it was given out before: the person knows
	Since time.Duration // how long the sign-in has been under way
	Done  <-chan struct{}
	Err   func() error // how the sign-in ended, once Done is closed
}

// inviteWait is how long a sign-in may take to reach the person: a code needs two requests to the authorization server.
const inviteWait = 15 * time.Second

// Completed is how many sign-ins have been completed.
func (p *Prompter) Completed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.completed
}

// over is an invitation to nothing.
func over(err error) Invitation {
	done := make(chan struct{})
	close(done)
	return Invitation{Done: done, Err: func() error { return err }}
}

// Invite joins the sign-in under way or starts one, because the person has asked for it, and returns once there is
// something to act on. completed is how many had been completed when it came up that one is needed: one more since has
// cured that.
func (p *Prompter) Invite(ctx context.Context, n token.Need, completed int) (Invitation, error) {
	if p.Interactive == nil {
		return over(ErrNobody), nil
	}
	p.mu.Lock()
	if p.current == nil && p.completed != completed {
		p.mu.Unlock()
		return over(nil), nil
	}
	if p.current == nil {
		p.start(n, true)
	}
	a := p.current
	again := a.told
	a.told = true
	p.mu.Unlock()
	if err := wait.For(ctx, a.shown, inviteWait); err != nil && ctx.Err() != nil {
		return Invitation{}, err
	}
	select {
	case <-a.shown:
	default:
		a.reaches(ByBrowser, Code{}) // late, but on its way
	}
	return Invitation{By: a.how, Code: a.code, Again: again, Since: p.Now().Sub(a.began), Done: a.done, Err: func() error { return a.err }}, nil
}

package bridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// door is where requests wait for a person. One sign-in is offered for all of them; when it has come to nothing, later
// requests fail at once until there is a token.
type door struct {
	p     *pump
	mu    sync.Mutex
	visit *visit
	spent bool      // an offer has come to nothing
	done  int       // sign-ins that were finished
	early time.Time // when one was last offered ahead of need
}

// visit is one sign-in under way.
type visit struct {
	done  chan struct{}
	err   error
	until time.Time // requests wait no longer; zero: none has waited
}

// glance is what a request that does not wait for a person gives a sign-in to say that there is nobody.
const glance = 100 * time.Millisecond

// errNoWay says that nobody can be reached.
var errNoWay = errors.New("nobody can be asked from here")

// errElsewhere is why a visit ends that nobody needs any more: there is a token by another way.
var errElsewhere = errors.New("somebody has signed in elsewhere")

// lookElsewhere is how often that is looked for.
const lookElsewhere = time.Second

// finished returns how many sign-ins have been finished.
func (d *door) finished() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

// open waits until a person has signed in. cause is why that is needed, and what a request fails with; finished is what
// there was before it came up: a sign-in that has been finished since may cure it already.
func (d *door) open(ctx context.Context, n Need, finished int, cause error) error {
	v, late := d.enter(n, finished)
	if late {
		return nil
	}
	if v == nil {
		return cause
	}
	text, most := "was not finished in "+d.p.SignInWait.String(), time.Until(v.until)
	if d.p.SignInWait < 0 {
		text, most = "is under way, and this bridge does not wait for it", glance
	}
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-v.done:
		if v.err != nil {
			return d.refusal(cause, v.err)
		}
		return nil
	case <-t.C:
		return d.p.fail(credential.Prompting, "the sign-in for "+d.p.Name+" "+text, nil)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refusal is what requests fail with after a sign-in that came to nothing.
func (d *door) refusal(cause, why error) error {
	if errors.Is(why, errNoWay) {
		return cause
	}
	return d.p.fail(credential.KindOf(cause), "the sign-in for "+d.p.Name+" was not completed", why)
}

// enter joins the sign-in under way or starts one; nil where none may be started, or where it is late: one was finished.
func (d *door) enter(n Need, finished int) (v *visit, late bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.visit == nil && (d.done != finished || d.spent || d.p.Person == nil) {
		return nil, d.done != finished
	}
	if d.visit == nil {
		d.begin(n)
	}
	if d.visit.until.IsZero() {
		d.visit.until = time.Now().Add(d.p.SignInWait)
	}
	return d.visit, false
}

// begin starts a sign-in. The caller holds mu.
func (d *door) begin(n Need) {
	d.visit = &visit{done: make(chan struct{})}
	go d.receive(n, d.visit)
}

// ahead offers a sign-in while the last token that comes without one still serves, so that no request waits; once in
// the cooldown, and only where the host alone can reach a person: a browser is opened by the process that refreshes.
func (d *door) ahead(t credential.Token) {
	elicits, ready := d.p.session.elicits()
	if d.p.Person == nil || !elicits || !ready || d.p.Person.Reachable() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.p.Now()
	if d.visit != nil || !d.early.IsZero() && now.Sub(d.early) < credential.PromptRest {
		return
	}
	d.early = now
	d.begin(Need{Refused: t.Access})
}

func (d *door) receive(n Need, v *visit) {
	// A person who is late still finishes: requests stop waiting, the sign-in goes on.
	ctx, cancel := context.WithTimeout(d.p.life, max(credential.SignInTotal, d.p.SignInWait))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	go d.lookOut(ctx, n, v, end)
	v.err = d.p.signIn(ctx, n)
	end(nil)
	switch {
	case context.Cause(ctx) == errElsewhere:
		v.err = nil
	case v.err == nil:
		d.p.keeper.forget()
	}
	d.mu.Lock()
	d.visit, d.spent = nil, v.err != nil && !v.until.IsZero()
	if v.err == nil {
		d.done++
	}
	d.mu.Unlock()
	close(v.done)
}

// wait waits until the sign-in under way has ended, at most that long.
func (d *door) wait(most time.Duration) {
	d.mu.Lock()
	v := d.visit
	d.mu.Unlock()
	if v == nil {
		return
	}
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-v.done:
	case <-t.C:
	}
}

// lookOut ends a visit once what it is for can be answered without it.
func (d *door) lookOut(ctx context.Context, n Need, v *visit, end context.CancelCauseFunc) {
	for rest(ctx, lookElsewhere) == nil {
		if d.answered(ctx, n, v) {
			d.p.Log(errElsewhere.Error())
			end(errElsewhere)
			return
		}
	}
}

// answered asks again for what a visit is for. While no request waits, what the keeper comes across is soon enough.
func (d *door) answered(ctx context.Context, n Need, v *visit) bool {
	d.mu.Lock()
	waits := !v.until.IsZero()
	d.mu.Unlock()
	if !waits {
		return d.p.keeper.overtook(n.Refused)
	}
	_, err := d.p.keeper.fetch(ctx, n)
	return err == nil
}

// relent lets a sign-in be offered again: there has been a token since.
func (d *door) relent() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spent = false
}

// signIn reaches a person by the best way there is: URL-mode elicitation where the host has it, else the browser of
// this machine. Before the handshake is over a server should not ask the host (MCP lifecycle, "Initialization"), so
// there the browser comes first.
func (p *pump) signIn(ctx context.Context, n Need) error {
	elicits, ready := p.session.elicits()
	reachable := p.Person.Reachable()
	switch {
	case elicits && (ready || !reachable):
		p.Log("sign-in: offered by the host")
		e := &elicitation{p: p}
		err := p.Person.SignIn(ctx, n, e.show)
		if err == nil || context.Cause(ctx) == errElsewhere {
			e.finished()
		}
		return err
	case !reachable:
		needed := p.fail(credential.NoSignIn, "A sign-in is needed for "+p.Name, nil)
		p.notice("warning", needed.Text+"; "+p.Hint(needed))
		return errNoWay
	}
	p.notice("info", "A sign-in for "+p.Name+" is open in the browser")
	return p.Person.SignIn(ctx, n, nil)
}

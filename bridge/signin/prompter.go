// Package signin lets requests wait for a person: one sign-in is offered for all of them, by the host where it shows
// addresses, else in the browser of this machine. How a person signs in is left to its caller.
package signin

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// Way is how a sign-in reaches a person.
type Way struct {
	Show  Show       // by the host, which shows the address
	Code  func(Code) // by a code that the person enters on any device (RFC 8628); it is called once there is one
	Again bool       // the person has just asked for it: that one was offered a moment ago does not matter
}

// Code is what a person needs who signs in on another device, and what that gives to whom.
type Code struct {
	Address, Complete, Code string // Complete: an address with the code in it; may be empty
	Server, Issuer          string
	Scopes                  []string
}

// Show brings an address before a person, and returns once the person has agreed to open it. ErrNotShown says that the
// host does not do that after all.
type Show func(ctx context.Context, url string) error

// ErrNotShown is what a Show answers where the host turned out not to show addresses; another way may be tried.
var ErrNotShown = errors.New("the host does not show addresses")

// ErrNoCode is what Interactive answers where nobody can sign in by a code: the authorization server has no such way, or a
// person has to approve the server at a terminal first.
var ErrNoCode = errors.New("there is no sign-in by a code")

// Interactive signs a person in. It is called by one goroutine at a time.
type Interactive interface {
	// Reachable reports whether a browser that opens on this machine is seen by somebody.
	Reachable() bool
	// SignIn offers one sign-in and returns nil once there is a token that answers n. With neither Show nor Code it is in the
	// browser of this machine. ErrNoCode says that Code is no way here.
	SignIn(ctx context.Context, n token.Need, w Way) error
}

// Config is what a Prompter needs.
type Config struct {
	Interactive Interactive // nil: nobody can be asked
	Host        *Host
	Server      string             // its URL
	Name        string             // what a person calls it
	Wait        time.Duration      // how long requests wait for a person; negative: they do not
	HostReady   time.Duration      // how long a question to the host waits for the end of the handshake; 0: the handshake waits for the person
	Hint        func(error) string // what to do about an error; "" where there is nothing to say
	Log         func(string)
	Now         func() time.Time
}

// Prompter asks a person. When a sign-in has failed, later requests fail at once until there is a token.
type Prompter struct {
	Config
	Tokens *token.Cache
	ctx    context.Context // of the sign-ins, which outlive the requests that wait for them

	mu        sync.Mutex
	current   *attempt
	failed    bool      // the last sign-in that requests waited for
	completed int       // sign-ins that were completed
	offered   time.Time // when one was last offered ahead of need
}

// attempt is one sign-in under way.
type attempt struct {
	done  chan struct{}
	err   error
	until time.Time // requests wait no longer; zero: none has waited

	began time.Time
	shown chan struct{} // closed when the person has something to act on, or will not
	once  sync.Once
	how   Reached
	code  Code // for ByCode
	told  bool // somebody was told of it by Invite
}

// reaches notes how the person was reached.
func (a *attempt) reaches(how Reached, code Code) {
	a.once.Do(func() {
		a.how, a.code = how, code
		close(a.shown)
	})
}

// noWait is what a request that does not wait for a person gives a sign-in to say that there is nobody.
const noWait = 100 * time.Millisecond

// watchInterval is how often a token from elsewhere is looked for.
const watchInterval = time.Second

// ErrNobody is how a sign-in ends where nobody can be asked.
var ErrNobody = errors.New("nobody can be asked from here")

// errSignedInElsewhere is why a sign-in ends that nobody needs any more.
var errSignedInElsewhere = errors.New("somebody has signed in elsewhere")

// NewPrompter returns a Prompter whose sign-ins end with ctx.
func NewPrompter(ctx context.Context, c Config) *Prompter { return &Prompter{Config: c, ctx: ctx} }

// Token gets a token for a request, and waits for a person where only one can help.
func (p *Prompter) Token(ctx context.Context, n token.Need) (credential.Token, error) {
	p.mu.Lock()
	completed := p.completed
	p.mu.Unlock()
	t, err := p.Tokens.Get(ctx, n)
	if !token.NeedsSignIn(err) {
		return t, err
	}
	if err := p.await(ctx, n, completed, err); err != nil {
		return t, err
	}
	return p.Tokens.Get(ctx, n)
}

// await waits until a person has signed in. cause is why that is needed, and what a request fails with; completed is how
// many sign-ins there had been before it came up: one that has been completed since may cure it already.
func (p *Prompter) await(ctx context.Context, n token.Need, completed int, cause error) error {
	a, late := p.join(n, completed)
	switch {
	case late:
		return nil
	case a == nil:
		return cause
	}
	text, most := "was not finished in "+p.Wait.String(), time.Until(a.until)
	if p.Wait < 0 {
		text, most = "is under way, and this bridge does not wait for it", noWait
	}
	switch err := wait.For(ctx, a.done, most); {
	case err == context.DeadlineExceeded && ctx.Err() == nil:
		return p.fail(credential.Prompting, "the sign-in for "+p.Name+" "+text, nil)
	case err != nil:
		return err
	case a.err == nil:
		return nil
	case errors.Is(a.err, ErrNobody):
		return cause
	}
	return p.fail(credential.KindOf(cause), "the sign-in for "+p.Name+" was not completed", a.err)
}

func (p *Prompter) fail(kind credential.Kind, text string, cause error) error {
	return &credential.Error{Kind: kind, Text: text, Server: p.Server, Err: cause}
}

// join joins the sign-in under way or starts one; nil where none may be started, or where it is late: one was completed.
func (p *Prompter) join(n token.Need, completed int) (a *attempt, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil && (p.completed != completed || p.failed || p.Interactive == nil) {
		return nil, p.completed != completed
	}
	if p.current == nil {
		p.start(n, false)
	}
	if p.current.until.IsZero() {
		p.current.until = time.Now().Add(p.Wait)
	}
	return p.current, false
}

// start starts a sign-in; again: the person has asked for it. The caller holds mu.
func (p *Prompter) start(n token.Need, again bool) {
	p.current = &attempt{done: make(chan struct{}), shown: make(chan struct{}), began: p.Now()}
	go p.run(n, p.current, again)
}

// Offer offers a sign-in while the last token that comes without one still serves, so that no request waits; once in
// the cooldown, and only where the host alone can reach a person: a browser is opened by the process that refreshes.
func (p *Prompter) Offer(t credential.Token) {
	able, ready := p.Host.canElicit()
	if p.Interactive == nil || !able || !ready || p.Interactive.Reachable() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	if p.current != nil || !p.offered.IsZero() && now.Sub(p.offered) < credential.PromptRest {
		return
	}
	p.offered = now
	p.start(token.Need{Refused: t.Access}, false)
}

// Reset lets a sign-in be offered again: there has been a token since.
func (p *Prompter) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = false
}

func (p *Prompter) run(n token.Need, a *attempt, again bool) {
	// A person who is late still finishes: requests stop waiting, the sign-in goes on.
	ctx, cancel := context.WithTimeout(p.ctx, max(credential.SignInTotal, p.Wait))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	go p.watch(ctx, n, a, end)
	a.err = p.signIn(ctx, n, a, again)
	a.reaches(ByNothing, Code{})
	end(nil)
	switch {
	case context.Cause(ctx) == errSignedInElsewhere:
		a.err = nil
	case a.err == nil:
		p.Tokens.Forget()
	}
	p.mu.Lock()
	p.current, p.failed = nil, a.err != nil && !a.until.IsZero()
	if a.err == nil {
		p.completed++
	}
	p.mu.Unlock()
	close(a.done)
}

// watch ends a sign-in once what it is for can be answered without it.
func (p *Prompter) watch(ctx context.Context, n token.Need, a *attempt, end context.CancelCauseFunc) {
	for wait.Sleep(ctx, watchInterval) == nil {
		if p.answered(ctx, n, a) {
			p.Log(errSignedInElsewhere.Error())
			end(errSignedInElsewhere)
			return
		}
	}
}

// answered asks again for what a sign-in is for. While no request waits, what is asked anyhow is soon enough.
func (p *Prompter) answered(ctx context.Context, n token.Need, a *attempt) bool {
	p.mu.Lock()
	waits := !a.until.IsZero()
	p.mu.Unlock()
	if !waits {
		return p.Tokens.Superseded(n.Refused)
	}
	_, err := p.Tokens.Ask(ctx, n)
	return err == nil
}

// Finish waits until the sign-in under way has ended, at most that long.
func (p *Prompter) Finish(most time.Duration) {
	p.mu.Lock()
	a := p.current
	p.mu.Unlock()
	if a != nil {
		_ = wait.For(context.Background(), a.done, most)
	}
}

// signIn reaches a person by the best way there is: by the host where it shows addresses, else in the browser of this
// machine, which comes first as long as the host should not be asked yet.
func (p *Prompter) signIn(ctx context.Context, n token.Need, a *attempt, again bool) error {
	able, ready := p.Host.canElicit()
	reachable := p.Interactive.Reachable()
	if able && !ready && !reachable {
		p.Host.awaitReady(ctx, p.HostReady)
	}
	switch {
	case able && (ready || !reachable):
		p.Log("sign-in: offered by the host")
		return p.signInByHost(ctx, n, a, again)
	case !reachable && again:
		p.Log("sign-in: by a code, where the authorization server has that")
		return p.Interactive.SignIn(ctx, n, Way{Again: true, Code: func(c Code) { a.reaches(ByCode, c) }})
	case !reachable:
		needed := p.fail(credential.NoSignIn, "A sign-in is needed for "+p.Name, nil)
		p.notify("warning", needed.Error()+"; "+p.Hint(needed))
		return ErrNobody
	}
	p.notify("info", "A sign-in for "+p.Name+" is open in the browser")
	late := time.AfterFunc(browserOpens, func() { a.reaches(ByBrowser, Code{}) })
	defer late.Stop()
	return p.Interactive.SignIn(ctx, n, Way{Again: again})
}

// browserOpens is how soon a sign-in that is in the browser fails where it cannot be: no such authorization server, no network.
const browserOpens = 1500 * time.Millisecond

// signInByHost has the host show the address, which may lead to this machine's loopback: a browser elsewhere does not
// reach that.
func (p *Prompter) signInByHost(ctx context.Context, n token.Need, a *attempt, again bool) error {
	message := "Sign in to " + p.Name + " so that its tools can be used."
	if hint := p.Hint(p.fail(credential.NoSignIn, "", nil)); hint != "" && !p.Interactive.Reachable() {
		message += " If your browser runs on another machine, it cannot finish this sign-in; then " + hint
	}
	var id string
	show := func(ctx context.Context, url string) (err error) {
		a.reaches(ByHost, Code{})
		id, err = p.Host.elicit(ctx, url, message)
		return err
	}
	err := p.Interactive.SignIn(ctx, n, Way{Show: show, Again: again})
	if id != "" && (err == nil || context.Cause(ctx) == errSignedInElsewhere) {
		p.Host.elicited(id)
	}
	return err
}

func (p *Prompter) notify(level, text string) {
	p.Log(text)
	p.Host.Notify(level, text)
}

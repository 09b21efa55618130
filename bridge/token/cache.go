// Package token holds the access token for one MCP server between requests, has it refreshed ahead of its expiry, and
// replaces it when the server refuses it. Where tokens come from, and how a person is asked, is left to its callers.
package token

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// Need says why a token is asked for. The zero Need is the plain question of every request.
type Need struct {
	Refused   credential.Secret   // the token that the server has just refused; it must not be answered again
	Challenge discovery.Challenge // what the server wants instead; its Scheme is set even where it has said nothing
}

// Source answers with an access token for the server. It may be called by any goroutine and should be quick while a
// token is valid; it asks no person. Errors are *credential.Error; NotFound means that the server is not known to need a
// token, and the kinds of exit code 3 that a person is needed. Beside a valid token the latter mean that it serves, and
// that only a person can bring the next one.
type Source interface {
	Token(ctx context.Context, n Need) (credential.Token, error)
}

// Config is what a Cache needs.
type Config struct {
	Source  Source // nil: there are no tokens
	Now     func() time.Time
	Retry   time.Duration          // how long Source is asked again while the network is away
	Arrived func(replaced bool)    // there is another token than before; replaced: in place of one that served
	Last    func(credential.Token) // only a person can bring the token after this one
	Needed  func()                 // what PersonNeeded reports has changed; nil: nobody wants to know
}

// Cache holds the present token, so that asking for it costs nothing while it is valid, and asks once for the many who
// ask at the same time. Any goroutine may call it.
type Cache struct {
	Config
	ctx   context.Context // of the questions, which outlive whoever asked first
	group singleflight.Group

	mu        sync.Mutex
	current   credential.Token
	notBefore time.Time         // of the next question that no request waits for, or that a server may not need
	backoff   time.Duration     // from the next such question without a new token to the one after it
	interval  time.Duration     // between questions while no new token is due
	refused   credential.Secret // the last token that was replaced because a server refused it
	unneeded  bool              // the last answer was that no token is known to be needed
	refusals  refusals          // what new tokens have not satisfied
	changed   chan struct{}     // closed, and made anew, when another token arrives
	needed    *Need             // what only a person can answer now; nil: nothing
}

// The intervals of questions that no request waits for, and the pauses after failed ones.
const (
	backoffLeast    = 250 * time.Millisecond // between the first two questions for a token that is due
	unneededPause   = time.Second            // while no token is known to be needed
	intervalLeast   = 20 * time.Second       // between two looks at what other processes have done
	intervalMost    = 10 * time.Minute       // ... where each costs a new token, because none can be kept
	retryPauseLeast = 250 * time.Millisecond
	retryPauseMost  = 4 * time.Second
)

// NewCache returns an empty Cache, whose questions end with ctx.
func NewCache(ctx context.Context, c Config) *Cache {
	return &Cache{Config: c, ctx: ctx, backoff: backoffLeast, interval: intervalLeast, refusals: refusals{}, changed: make(chan struct{})}
}

// Token returns a token that a request may leave with now: never an expired one. The zero Token means that none is
// known to be needed. In the refresh window it returns the present one and has a new one looked for in the background.
func (c *Cache) Token(ctx context.Context) (credential.Token, error) {
	if c.Source == nil {
		return credential.Token{}, nil
	}
	now := c.Now()
	c.mu.Lock()
	current, unneeded := c.current, c.unneeded && now.Before(c.notBefore)
	c.mu.Unlock()
	switch {
	case unneeded:
		return credential.Token{}, nil
	case !current.Valid(now):
		t, err := c.Ask(ctx, Need{})
		if credential.KindOf(err) == credential.NotFound {
			return credential.Token{}, nil
		}
		return t, err
	case current.Due(now):
		c.refresh(now)
	}
	return current, nil
}

// Current returns the token as it is, without a question; it may be the zero one or have expired.
func (c *Cache) Current() credential.Token {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// ErrRefusedAgain says that the server refuses new tokens too.
var ErrRefusedAgain = errors.New("refused again")

// Replace returns a token other than the refused one, with one question however many requests were refused. After a
// challenge that the last new token has not met, the next one waits for a growing pause: ErrRefusedAgain.
func (c *Cache) Replace(ctx context.Context, n Need) (credential.Token, error) {
	c.mu.Lock()
	current, now := c.current, c.Now()
	paused := !n.Refused.IsZero() && current.Access.Equal(n.Refused) && c.refusals.paused(reasonOf(n.Challenge), now)
	c.mu.Unlock()
	switch {
	case supersedes(current, n.Refused, now):
		return current, nil
	case paused:
		return credential.Token{}, ErrRefusedAgain
	}
	return c.Ask(ctx, n)
}

// supersedes reports whether current has taken the place of a token that was refused.
func supersedes(current credential.Token, refused credential.Secret, now time.Time) bool {
	return !current.Access.Equal(refused) && current.Valid(now)
}

// Superseded reports whether there is another token than the refused one already, so that the request may be sent again.
func (c *Cache) Superseded(refused credential.Secret) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return supersedes(c.current, refused, c.Now())
}

// Met forgets challenges that a request has met with the token that it left with.
func (c *Cache) Met(challenges []discovery.Challenge) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range challenges {
		delete(c.refusals, reasonOf(ch))
	}
}

// Changed is closed when a token arrives that is another one than now.
func (c *Cache) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Ask is Get without what is held already.
func (c *Cache) Ask(ctx context.Context, n Need) (credential.Token, error) {
	select {
	case r := <-c.start(n):
		return r.Val.(credential.Token), r.Err
	case <-ctx.Done():
		return credential.Token{}, ctx.Err()
	}
}

// start asks, or joins the same question that is under way. The error code of a challenge does not change the answer.
func (c *Cache) start(n Need) <-chan singleflight.Result {
	name := ""
	if n != (Need{}) {
		name = n.Refused.Fingerprint() + "\n" + n.Challenge.Scope + "\n" + n.Challenge.Claims
	}
	return c.group.DoChan(name, func() (any, error) { return c.question(n) })
}

func (c *Cache) question(n Need) (credential.Token, error) {
	asked := c.Current()
	t, err := c.retry(n)
	last := NeedsSignIn(err) && t.Valid(c.Now())
	if last {
		err = nil
	}
	c.mu.Lock()
	before := c.current
	t = c.take(n, asked, t, err)
	changed := err == nil && !before.Access.Equal(t.Access)
	c.schedule(n == (Need{}), changed, before)
	needed := c.needed != nil
	if changed {
		c.needed = nil
		close(c.changed)
		c.changed = make(chan struct{})
	} else if lost(n, before, c.current, err, c.Now()) {
		c.needed = &n
	}
	turned := c.Needed != nil && needed != (c.needed != nil)
	c.mu.Unlock()
	if turned {
		go c.Needed()
	}
	if changed {
		go c.Arrived(!before.Access.IsZero()) // whoever waits for the token does not wait for what else its arrival does
	}
	if last {
		go c.Last(t)
	}
	return t, err
}

// take makes the answer to a question, asked while there was that token, the present token, and returns the one to
// answer with. The caller holds mu.
func (c *Cache) take(n Need, asked, t credential.Token, err error) credential.Token {
	now, kind, plain := c.Now(), credential.KindOf(err), n == (Need{})
	c.unneeded = plain && err != nil && kind == credential.NotFound
	switch {
	case err == nil && c.outdated(n, asked, t, now):
		return c.current
	case err == nil:
		c.current = t
		if !n.Refused.IsZero() {
			c.refused = n.Refused
			c.refusals.add(reasonOf(n.Challenge), now)
		}
	case plain && signedOut(kind) && c.current.Access.Equal(asked.Access):
		c.current = credential.Token{}
	}
	return t
}

// outdated reports whether an answer is older than the present token: the question was, or the cache on disk has not got
// the token that took the place of a refused one.
func (c *Cache) outdated(n Need, asked, t credential.Token, now time.Time) bool {
	if !supersedes(c.current, n.Refused, now) {
		return false
	}
	older := !c.current.Access.Equal(asked.Access) && t.Obtained.Before(c.current.Obtained)
	return older || t.Access.Equal(c.refused)
}

// schedule says when the next question without need may be. The caller holds mu.
func (c *Cache) schedule(plain, changed bool, before credential.Token) {
	now := c.Now()
	if changed {
		c.notBefore, c.backoff = time.Time{}, backoffLeast
	}
	switch early := before.Valid(now) && !before.Due(now); {
	case plain && early && changed:
		c.interval = min(2*c.interval, intervalMost)
	case plain && early:
		c.interval = intervalLeast
	}
	if c.unneeded {
		c.notBefore = now.Add(unneededPause)
	} else if !changed && !c.current.Valid(now) {
		c.postpone(now)
	}
}

// postpone puts off the next question without need, each time longer. The caller holds mu.
func (c *Cache) postpone(now time.Time) {
	c.notBefore = now.Add(c.backoff)
	c.backoff = min(2*c.backoff, intervalLeast)
}

// retry asks until there is an answer that waiting does not change, or the time for it is over.
func (c *Cache) retry(n Need) (credential.Token, error) {
	end := time.Now().Add(c.Retry)
	for pause := retryPauseLeast; ; pause = min(2*pause, retryPauseMost) {
		t, err := c.Source.Token(c.ctx, n)
		switch credential.KindOf(err) {
		case credential.Network, credential.Throttled, credential.StillRefreshing:
		default:
			return t, err
		}
		var typed *credential.Error
		if errors.As(err, &typed) {
			pause = max(pause, typed.RetryAfter)
		}
		if time.Now().Add(pause).After(end) || wait.Sleep(c.ctx, pause) != nil {
			return t, err
		}
	}
}

// refresh looks for a newer token without anybody waiting for it. The question itself starts the refresh, whose result
// the next one finds.
func (c *Cache) refresh(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !now.Before(c.notBefore) {
		c.postpone(now)
		c.start(Need{})
	}
}

// Poll is Token for nobody, and returns how long the next one can wait. It also asks while no new token is due: another
// process may have signed out, or in as somebody else.
func (c *Cache) Poll(ctx context.Context) time.Duration {
	if now, current := c.Now(), c.Current(); current.Valid(now) && !current.Due(now) {
		_, _ = c.Ask(ctx, Need{})
	} else {
		_, _ = c.Token(ctx)
	}
	return c.next()
}

// next says how long the next Poll can wait.
func (c *Cache) next() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	switch {
	case c.Source == nil || c.unneeded:
		return intervalLeast
	case !c.current.Valid(now) || c.current.Due(now):
		return max(min(c.notBefore.Sub(now), intervalLeast), backoffLeast)
	case c.current.RefreshAt.IsZero():
		return c.interval
	}
	return max(min(c.current.RefreshAt.Sub(now), c.interval), backoffLeast)
}

// Forget drops the present token: a sign-in has made it old.
func (c *Cache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.unneeded, c.refusals = credential.Token{}, false, refusals{}
}

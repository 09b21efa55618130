package bridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// keeper holds the access token between requests, so that asking for it costs nothing while it is valid, and makes one
// question of the many that come up at once.
type keeper struct {
	ask      func(context.Context, Need) (credential.Token, error) // nil: there are no tokens
	now      func() time.Time
	patience time.Duration
	arrived  func(new bool)         // another token than before; new says that it replaces one that served
	ending   func(credential.Token) // only a person can bring the token after this one
	life     context.Context        // of the questions, which outlive whoever asked first

	mu      sync.Mutex
	held    credential.Token
	look    time.Time         // not before this: a background question, or one to a server that needs no token
	slow    time.Duration     // from the next look without a new token to the one after it
	calm    time.Duration     // between looks while no new token is due
	spurned credential.Secret // the last token that was replaced because a server refused it
	free    bool              // the last answer was that no token is known to be needed
	tried   trials            // what new tokens have not satisfied
	next    chan struct{}
	flights map[string]*flight
}

// flight is one question under way.
type flight struct {
	done  chan struct{}
	held  credential.Token // when the question was asked
	token credential.Token
	err   error
}

// The paces of asking without need.
const (
	lookRest = 250 * time.Millisecond // between the first two background questions for a token that is due
	freeRest = time.Second            // while no token is known to be needed
	mindRest = 20 * time.Second       // between two looks at the clock and at what other processes have done
	calmMost = 10 * time.Minute       // ... where each look costs a new token, because none can be kept
)

func newKeeper(p *pump) *keeper {
	k := &keeper{life: p.life, now: p.Now, patience: p.Patience, arrived: p.tokenArrived}
	k.flights, k.tried, k.next = map[string]*flight{}, trials{}, make(chan struct{})
	k.ending = func(t credential.Token) { p.door.ahead(t) }
	k.slow, k.calm = lookRest, mindRest
	if p.Tokens != nil {
		k.ask = p.Tokens.Token
	}
	return k
}

// token returns a token that a request may leave with now: never an expired one. The zero Token means that none is
// known to be needed. Inside the refresh window it returns the present one and looks for a new one in the background.
func (k *keeper) token(ctx context.Context) (credential.Token, error) {
	if k.ask == nil {
		return credential.Token{}, nil
	}
	now := k.now()
	k.mu.Lock()
	held, free := k.held, k.free && now.Before(k.look)
	k.mu.Unlock()
	switch {
	case free:
		return credential.Token{}, nil
	case !held.Valid(now):
		t, err := k.fetch(ctx, Need{})
		if credential.KindOf(err) == credential.NotFound {
			return credential.Token{}, nil
		}
		return t, err
	case held.Due(now):
		k.renew(now)
	}
	return held, nil
}

// replace returns a token other than the refused one, which it gets by one question however many requests were refused.
// A demand that the last new token has not satisfied rests before the next one is asked for.
func (k *keeper) replace(ctx context.Context, n Need) (credential.Token, error) {
	k.mu.Lock()
	held, now := k.held, k.now()
	rests := !n.Refused.IsZero() && held.Access.Equal(n.Refused) && k.tried.rests(demandOf(n.Challenge), now)
	k.mu.Unlock()
	switch {
	case overtaken(held, n.Refused, now):
		return held, nil
	case rests:
		return credential.Token{}, errRefusedAgain
	}
	return k.fetch(ctx, n)
}

// overtaken reports whether held has taken the place of a token that was refused.
func overtaken(held credential.Token, refused credential.Secret, now time.Time) bool {
	return !held.Access.Equal(refused) && held.Valid(now)
}

// overtook is overtaken for a request that may simply be sent again.
func (k *keeper) overtook(refused credential.Secret) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return overtaken(k.held, refused, k.now())
}

// satisfied forgets demands that a request has met with the token that it left with.
func (k *keeper) satisfied(demands []demand) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range demands {
		delete(k.tried, d)
	}
}

// another is closed when a token arrives that is another one than now.
func (k *keeper) another() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.next
}

// errRefusedAgain says that the server refuses new tokens too.
var errRefusedAgain = errors.New("refused again")

func (k *keeper) fetch(ctx context.Context, n Need) (credential.Token, error) {
	name := ""
	if n != (Need{}) {
		name = n.Refused.Fingerprint() + "\n" + demandOf(n.Challenge).asks()
	}
	k.mu.Lock()
	f := k.flights[name]
	if f == nil {
		f = k.begin(name, n)
	}
	k.mu.Unlock()
	if err := wait(ctx, f.done); err != nil {
		return credential.Token{}, err
	}
	return f.token, f.err
}

// begin asks. The caller holds mu.
func (k *keeper) begin(name string, n Need) *flight {
	f := &flight{done: make(chan struct{}), held: k.held}
	k.flights[name] = f
	go k.fly(name, n, f)
	return f
}

func (k *keeper) fly(name string, n Need, f *flight) {
	f.token, f.err = k.persist(n)
	ends := needsPerson(f.err) && f.token.Valid(k.now())
	if ends {
		f.err = nil
	}
	k.mu.Lock()
	delete(k.flights, name)
	before := k.held
	other := k.settle(n, f)
	if other {
		close(k.next)
		k.next = make(chan struct{})
	}
	k.mu.Unlock()
	close(f.done)
	if other {
		k.arrived(!before.Access.IsZero())
	}
	if ends {
		k.ending(f.token)
	}
}

// settle takes over what a question has brought, and reports whether that is another token. The caller holds mu.
func (k *keeper) settle(n Need, f *flight) (other bool) {
	now, kind, plain := k.now(), credential.KindOf(f.err), n == (Need{})
	k.free = plain && f.err != nil && kind == credential.NotFound
	before := k.held
	switch {
	case f.err == nil && k.outdated(n, f, now):
		f.token = before
	case f.err == nil:
		k.held = f.token
		if !n.Refused.IsZero() {
			k.spurned = n.Refused
			k.tried.note(demandOf(n.Challenge), now)
		}
	case plain && signedOut(kind) && before.Access.Equal(f.held.Access):
		k.held = credential.Token{}
	}
	other = f.err == nil && !before.Access.Equal(f.token.Access)
	k.adjust(plain, other, before, now)
	return other
}

// outdated reports whether an answer is older than the held token: the question was, or the cache has not got the token
// that took the place of a refused one.
func (k *keeper) outdated(n Need, f *flight, now time.Time) bool {
	if !overtaken(k.held, n.Refused, now) {
		return false
	}
	older := !k.held.Access.Equal(f.held.Access) && f.token.Obtained.Before(k.held.Obtained)
	return older || f.token.Access.Equal(k.spurned)
}

// signedOut reports whether an error says that there is no right to the held token any more. Others leave it in use: an
// authorization server that cannot be reached, or a sign-in that has ended, says nothing about the tokens it has given.
func signedOut(kind credential.Kind) bool {
	return kind == credential.NotFound || kind == credential.NoSignIn || kind == credential.NotApproved
}

// adjust sets the pace after an answer. The caller holds mu.
func (k *keeper) adjust(plain, other bool, before credential.Token, now time.Time) {
	if other {
		k.look, k.slow = time.Time{}, lookRest
	}
	early := before.Valid(now) && !before.Due(now)
	switch {
	case plain && early && other:
		k.calm = min(2*k.calm, calmMost)
	case plain && early:
		k.calm = mindRest
	}
	if k.free {
		k.look = now.Add(freeRest)
	} else if !other && !k.held.Valid(now) {
		k.postpone(now)
	}
}

// postpone says when the next look without need may be, each time later. The caller holds mu.
func (k *keeper) postpone(now time.Time) {
	k.look = now.Add(k.slow)
	k.slow = min(2*k.slow, mindRest)
}

// persist asks until there is an answer that waiting does not change, or patience is at its end.
func (k *keeper) persist(n Need) (credential.Token, error) {
	end := time.Now().Add(k.patience)
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		t, err := k.ask(k.life, n)
		if err == nil {
			return t, nil
		}
		var typed *credential.Error
		switch kind := credential.KindOf(err); kind {
		case credential.Network, credential.Throttled, credential.StillRefreshing:
			if errors.As(err, &typed) {
				pause = max(pause, typed.RetryAfter)
			}
		default:
			return t, err
		}
		if time.Now().Add(pause).After(end) || rest(k.life, pause) != nil {
			return t, err
		}
	}
}

// renew looks for a newer token without anybody waiting for it. The question itself starts the refresh, whose result
// the next look finds.
func (k *keeper) renew(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Before(k.look) || k.flights[""] != nil {
		return
	}
	k.postpone(now)
	k.begin("", Need{})
}

// glance is token for nobody. It also asks while no new token is due: another process may have signed out, or in as
// somebody else.
func (k *keeper) glance(ctx context.Context) {
	k.mu.Lock()
	now := k.now()
	early := k.held.Valid(now) && !k.held.Due(now)
	k.mu.Unlock()
	if early {
		_, _ = k.fetch(ctx, Need{})
		return
	}
	_, _ = k.token(ctx)
}

// forget drops the held token: a sign-in has made it old.
func (k *keeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held, k.free, k.tried = credential.Token{}, false, trials{}
}

// pace says how long the next look can wait.
func (k *keeper) pace() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	switch {
	case k.ask == nil || k.free:
		return mindRest
	case !k.held.Valid(now) || k.held.Due(now):
		return max(min(k.look.Sub(now), mindRest), lookRest)
	case k.held.RefreshAt.IsZero():
		return k.calm
	}
	return max(min(k.held.RefreshAt.Sub(now), k.calm), lookRest)
}

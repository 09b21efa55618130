package helper

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
	"github.com/mcp-credential/mcp-credential/state"
)

// Ask is one get with everything that came along.
type Ask struct {
	Query    credential.Query
	Prompt   bool              // a person may be asked (--prompt once)
	Terminal bool              // ... right here, by this process
	Fleeting bool              // ... and what the person is shown goes with this process: if it ends before an answer, the next one may ask
	Again    bool              // the person has just asked for a sign-in: the cooldown of offers does not count
	Join     bool              // an offer that another process has open is waited for like one's own
	Wait     time.Duration     // how long the caller waits for a refresh or a sign-in
	Quiet    bool              // an unknown server is not found, without prompt (git and its like)
	Force    bool              // a server has refused the caller's token: that one does not serve
	Refused  credential.Secret // which one, with Force; zero: the cached one, whatever it is
	Scopes   []string          // of a challenge
	Claims   string            // of a challenge: JSON for the claims parameter
	Proves   bool              // the caller proves the key of a token that is bound to one, and hands it on to nobody
	Bound    bool              // the server takes no token that is not
	until    time.Time         // the end of Wait
	vouches  bool              // an ID token is what is wanted
}

// tokens finds the access token that answers a get: in the cache, or where another process leaves it.
type tokens struct{ *Helper }

// justReplaced reports whether a caller that does not say which token was refused means one that is replaced already: of
// many that were refused together, for the same claims, the last may come when the first has its new token.
// A token that is newer than its record is one whose refresh is about to write that.
func (h tokens) justReplaced(s resolved, a Ask, t credential.Token) bool {
	recent := func(at time.Time) bool {
		age := h.Now().Sub(at)
		return age >= 0 && age < credential.ReplacedRest
	}
	si, err := records(h).latest(s) // read after the token
	if err != nil {
		return false
	}
	unrecorded := t.Obtained.After(si.LastRefresh) && t.Obtained.After(si.Created)
	return recent(si.Replaced.At) && si.Replaced.Claims == a.Claims || unrecorded && recent(t.Obtained)
}

// poll is how often a caller looks whether the process that refreshes or signs in on its behalf has finished.
const (
	pollFirst = 15 * time.Millisecond
	pollMost  = 400 * time.Millisecond
)

// Get answers with a token that can be handed out, from the cache or by a refresh in another process that it waits
// for, or by a sign-in where the prompt policy allows one. It needs no lock.
func (h *Helper) Get(ctx context.Context, a Ask) (credential.Token, error) {
	a.until = time.Now().Add(a.Wait)
	t, err := h.get(ctx, a)
	return t, withSignIn(err, a.Query.Account, a.Query.Scopes)
}

// withSignIn writes on an error, where it does not say so itself, what a sign-in has to be for that cures it.
func withSignIn(err error, account string, scopes []string) error {
	var e *credential.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Account == "" && account != "" {
		e.Account = account
	}
	if len(e.Scopes) == 0 && len(scopes) > 0 {
		e.Scopes = scopes
	}
	return err
}

func (h *Helper) get(ctx context.Context, a Ask) (credential.Token, error) {
	s, err := approvals{h}.resolveConfigured(ctx, a.Query)
	if m, merr := (machines{h}).find(a, err); merr != nil {
		return credential.Token{}, merr
	} else if m != nil {
		return machines{h}.answer(ctx, a, m)
	}
	if err != nil {
		if !needsSignIn(err) || a.Quiet && credential.KindOf(err) == credential.NotFound {
			return credential.Token{}, err
		}
		return offers{h}.offer(ctx, s, a, err)
	}
	if err := a.unfit(s); needsSignIn(err) {
		return offers{h}.offer(ctx, s, a, err)
	} else if err != nil {
		return credential.Token{}, err
	}
	if lack := s.missing(append(a.Query.Scopes, a.Scopes...)); len(lack) > 0 {
		if err := (logins{h}).foreign(s, lack); err != nil {
			return credential.Token{}, err
		}
		t, err := offers{h}.offer(ctx, s, a, stepUp(s, lack))
		return t, withSignIn(err, "", lack)
	}
	t, err := tokens{h}.read(ctx, s)
	if kind := credential.KindOf(err); kind >= credential.KeychainLocked {
		return t, err
	}
	if errors.Is(err, cache.ErrDamaged) {
		h.Warn("the cached token for " + s.server.URL + " is unusable and will be replaced: " + err.Error())
	}
	if a.Force && a.Refused.IsZero() && !(tokens{h}).justReplaced(s, a, t) {
		a.Refused = t.Access
	}
	if err == nil && a.serves(t, h.Now()) {
		tokens{h}.answered(a, s, t)
		return t, nil
	}
	if h.Attended(s.signIn.Keychain) {
		t, err = tokens{h}.refreshHere(ctx, s, a)
	} else {
		t, err = tokens{h}.awaitRefresh(ctx, s, a)
	}
	if needsSignIn(err) && (tokens{h}).overtaken(a, s) {
		h.Trace("another sign-in has taken the place of the one that was asked")
		return h.get(ctx, a)
	}
	if needsSignIn(err) {
		return offers{h}.offer(ctx, s, a, err)
	}
	return t, err
}

// overtaken reports whether another sign-in answers the question now than when it was looked up. Whoever comes between a
// login and the end of what that replaces finds nothing there, and is not to say that nobody is signed in.
func (h tokens) overtaken(a Ask, s resolved) bool {
	now, err := h.resolve(a.Query)
	return err == nil && (now.signIn.ID != s.signIn.ID || !now.signIn.Created.Equal(s.signIn.Created))
}

// serves reports whether a token answers the question at now.
func (a Ask) serves(t credential.Token, now time.Time) bool {
	return t.Valid(now) && (!a.Force || a.Refused.IsZero() || !t.Access.Equal(a.Refused))
}

// needsSignIn reports whether err can be cured by a sign-in.
func needsSignIn(err error) bool {
	if err == nil {
		return false
	}
	switch credential.KindOf(err) {
	case credential.NoSignIn, credential.SignInDead, credential.StepUp, credential.NotFound, credential.NotApproved:
		return true
	}
	return false
}

func stepUp(s resolved, lack []string) error {
	text := "the sign-in for " + s.server.URL + " lacks scope"
	for _, scope := range lack {
		text += " " + credential.Printable(scope, 120)
	}
	return withSignIn(fail(credential.StepUp, s.server.URL, text), "", lack)
}

// read opens the cached token of a sign-in with the hot key, else with the key from the keychain, which it heats. The keychain
// is not asked for a token that has expired by its record: hundreds of callers may wait here for one refresh. Only
// errors of a Keychain kind are worth reporting: after any other one a refresh helps.
func (h tokens) read(ctx context.Context, s resolved) (credential.Token, error) {
	t, err := h.Cache.Token(s.signIn.ID, s.tokenID)
	if errors.Is(err, cache.ErrNoKey) && !s.signIn.Expiry.IsZero() && !h.Now().Before(s.signIn.Expiry) {
		h.Trace("cache: the token has expired")
		return credential.Token{}, cache.ErrMiss
	}
	if errors.Is(err, cache.ErrNoKey) {
		t, err = h.readCold(ctx, s)
	}
	if err == nil && t.Server != s.server.URL {
		return credential.Token{}, cache.ErrMiss
	}
	return t, err
}

func (h tokens) readCold(ctx context.Context, s resolved) (credential.Token, error) {
	if s.dataKey.IsZero() {
		h.Trace("cache: the data key is not hot; asking the keychain")
		g, err := h.grant(ctx, s.signIn)
		if err != nil {
			return credential.Token{}, err
		}
		*s.dataKey = g.DataKey
	}
	t, err := h.Cache.TokenWith(*s.dataKey, s.signIn.ID, s.tokenID)
	if err == nil && t.Valid(h.Now()) {
		if err := h.Cache.Heat(s.signIn.ID, *s.dataKey, t.Expiry); err != nil {
			h.Trace("cache: the data key cannot be kept hot: " + err.Error())
		}
	}
	return t, err
}

// answered leaves the pointer for the next warm get, and starts a refresh when the token is in its window.
func (h tokens) answered(a Ask, s resolved, t credential.Token) {
	h.Trace("cache: a token that is valid for " + t.Left(h.Now()))
	h.pointTo(a.Query, s)
	if !t.Due(h.Now()) || h.Attended(s.signIn.Keychain) || !a.Prompt && ended(s.signIn, h.Now()) {
		return
	}
	if ready, _ := restarts(h.Records, s.signIn, h.Now()); ready {
		if err := h.Launch(Renewal{Query: s.query(), Prompt: a.Prompt}.Args()...); err != nil {
			h.Trace("refresh: cannot start: " + err.Error())
		}
	}
}

// pointTo leaves the pointer to a sign-in for the next warm get. It does so under the lock of the servers, or not at all, because
// a sign-in that takes the place of this one removes the pointers to it once.
func (h tokens) pointTo(q credential.Query, s resolved) {
	path, err := h.Records.LockPath("servers")
	if err != nil {
		return
	}
	held, ok, err := cache.TryLock(path)
	if err != nil || !ok {
		return // the next one will
	}
	defer held.Release()
	if now, err := h.resolve(q); err == nil && now.tokenID == s.tokenID {
		h.point(q, s)
	}
}

func (h tokens) point(q credential.Query, s resolved) {
	if s.signIn.IDToken { // which the front would hand out
		return
	}
	q.URL, q.OriginOf, q.Below = s.server.URL, false, false // what an origin or a path means changes with every login
	size, mtime := h.Config()
	err := h.Cache.Point(q, cache.Pointer{URL: q.URL, SignIn: s.signIn.ID, TokenID: s.tokenID, Name: s.server.Name, ConfigSize: size, ConfigMTime: mtime, Notify: s.settings.Notify})
	if err != nil {
		h.Trace("cache: no pointer: " + err.Error())
	}
}

// awaitRefresh has a detached process refresh and waits for what it leaves in the cache and in the sign-in's record.
func (h tokens) awaitRefresh(ctx context.Context, s resolved, a Ask) (credential.Token, error) {
	ctx, cancel := context.WithDeadline(ctx, a.until)
	defer cancel()
	before := s.signIn.Attempts
	for pause := pollFirst; ; pause = min(pause*5/4, pollMost) {
		si, err := records(h).latest(s)
		if err != nil {
			return credential.Token{}, err
		}
		s.signIn = si // which says when there is something to read
		t, err := h.read(ctx, s)
		if err == nil && a.serves(t, h.Now()) {
			h.answered(a, s, t)
			return t, nil
		}
		if err := h.blocked(ctx, s.server.URL, si, before); err != nil {
			return credential.Token{}, err
		}
		if err := h.startRefresh(s, si, a); err != nil {
			return credential.Token{}, err
		}
		if wait.Sleep(ctx, pause) != nil {
			return credential.Token{}, fail(credential.StillRefreshing, s.server.URL, "the refresh for "+s.server.URL+" has not finished in "+a.Wait.String()+" and goes on")
		}
	}
}

// refreshHere refreshes in this process, whose terminal has the passphrase that no other process could ask for. Signals do not
// end it: what it spends must be stored.
func (h tokens) refreshHere(ctx context.Context, s resolved, a Ask) (credential.Token, error) {
	h.Trace("refresh: in this process, because the keychain's passphrase was typed here")
	ctx = context.WithoutCancel(ctx)
	var fresh credential.Token
	err := h.Refresh(ctx, Renewal{Query: s.query(), Refused: a.Refused.Fingerprint(), Claims: a.Claims, Token: &fresh})
	if err != nil && fresh.Access.IsZero() {
		return credential.Token{}, err
	}
	if err != nil {
		h.Warn("the new access token for " + s.server.URL + " could not be stored: " + err.Error())
		return fresh, nil
	}
	t, err := h.read(ctx, s)
	if err == nil && a.serves(t, h.Now()) {
		h.answered(a, s, t)
		return t, nil
	}
	si, err := records(h).latest(s)
	if err == nil && si.LastError != nil { // the last failure asked for a pause
		return credential.Token{}, si.LastError.Err()
	}
	return credential.Token{}, errors.Join(err, fail(credential.StillRefreshing, s.server.URL, "the token for "+s.server.URL+" was not refreshed"))
}

// blocked says why waiting is pointless: the sign-in cannot be refreshed, the attempt that we waited for has failed,
// or the next one may not begin before the caller has stopped waiting.
func (h tokens) blocked(ctx context.Context, server string, si state.SignIn, before int) error {
	if err := hopeless(h.Now(), server, si); err != nil || si.LastError == nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	if si.Attempts > before || si.Resting(h.Now().Add(time.Until(deadline))) {
		e := si.LastError.Err()
		e.Server = server
		e.RetryAfter = max(si.NextTry.Sub(h.Now()), 0).Round(time.Second)
		return e
	}
	return nil
}

// startRefresh launches the refresh process unless one is at work or must not begin yet by the sign-in's latest record si.
func (h tokens) startRefresh(s resolved, si state.SignIn, a Ask) error {
	ready, err := restarts(h.Records, si, h.Now())
	if err != nil || !ready {
		return unwritable(h.Records, err)
	}
	if err := h.Records.Writable(); err != nil {
		return err
	}
	h.Trace("refresh: starting a process of its own")
	if err := h.Launch(Renewal{Query: s.query(), Refused: a.Refused.Fingerprint(), Claims: a.Claims}.Args()...); err != nil {
		return credential.Fail(credential.Internal, "cannot start the refresh process", err)
	}
	return nil
}

// unwritable says of a failure to lock or mark, where that is the reason, that nothing can be stored in the home.
func unwritable(records state.Records, err error) error {
	if err == nil || credential.KindOf(err) != credential.Internal {
		return err
	}
	return cmp.Or(records.Writable(), err)
}

// Notice returns, once, the sentence that a refresh has left for --notify.
func (h *Helper) Notice(q credential.Query) string {
	s, err := h.resolve(q)
	if err != nil {
		return ""
	}
	return state.Notices{Records: h.Records}.Take(s.signIn.ID)
}

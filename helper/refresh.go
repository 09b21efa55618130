package helper

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
	"github.com/mcp-credential/mcp-credential/state"
)

// refreshes spends the refresh token of a sign-in and records what came of it.
type refreshes struct{ *Helper }

// Refresh spends the refresh token of a sign-in once, under its lock, unless a sibling has just done so. It runs in a
// process of its own, because hosts kill a helper after ten seconds and a killed refresh would lose the rotated token.
func (h *Helper) Refresh(ctx context.Context, r Renewal) error {
	s, err := h.resolve(r.Query)
	if m, merr := (machines{h}).find(Ask{Query: r.Query}, err); merr != nil {
		return merr
	} else if m != nil {
		return machines{h}.refresh(ctx, r.Query, m)
	}
	if err != nil {
		return err
	}
	refresh := func() error {
		return h.locked(ctx, s.signIn.ID, credential.LockWait, func() error {
			ctx, cancel := wait.WithTimeout(ctx, credential.RefreshTotal-credential.KeepTrying)
			defer cancel()
			return refreshes{h}.refreshLocked(ctx, r)
		})
	}
	if s.signIn.Work() == s.signIn.ID {
		err = refresh()
	} else { // siblings for other tokens of the sign-in wait in line behind its lock
		err = h.locked(ctx, s.signIn.Work(), credential.LockWait, refresh)
	}
	if r.Prompt && needsSignIn(err) {
		_, err = offers{h}.offer(ctx, s, Ask{Query: r.Query, Prompt: true, Terminal: true}, err)
	}
	return err
}

// locked runs do while holding the lock of that name (a sign-in, or the list of servers), for which it waits at most
// patience. Not getting it is an error of kind StillRefreshing.
func (h *Helper) locked(ctx context.Context, name string, patience time.Duration, do func() error) error {
	path, err := h.Records.LockPath(name)
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	h.Trace("lock: waiting for " + name)
	held, err := cache.Lock(wait, path)
	if err != nil {
		return unwritable(h.Records, err)
	}
	defer held.Release()
	return do()
}

func (h refreshes) refreshLocked(ctx context.Context, r Renewal) error {
	s, err := h.resolve(r.Query) // again: a sibling may have changed everything while we waited
	if err != nil {
		return err
	}
	s.claims = r.Claims
	h.Trace("refresh: locked")
	now := h.Now()
	t, err := tokens(h).read(ctx, s)
	if err == nil && t.Valid(now) && !t.Due(now) && t.Access.Fingerprint() != r.Refused {
		h.Trace("refresh: another process has just done it")
		return nil
	}
	if s.signIn.Resting(now) {
		h.Trace("refresh: not before " + s.signIn.NextTry.Format(time.RFC3339))
		return nil
	}
	if err := hopeless(h.Now(), s.server.URL, s.signIn); err != nil {
		return err
	}
	room, err := h.Cache.Reserve(s.signIn.ID, s.tokenID)
	if err != nil {
		return h.cannotStore(err)
	}
	defer room.Release()
	defer h.HoldSignals()()
	answer, key, err := h.spend(ctx, s)
	if answer.Token.Access.IsZero() {
		room.Release() // before the record tells others that this refresh has ended
		return h.failed(s, err)
	}
	if err != nil {
		h.Warn("the keychain cannot store the refreshed sign-in for " + s.server.URL + ", which is parked in the cache: " + err.Error())
	}
	answer.Token = completed(s, answer.Token)
	if r.Token != nil {
		*r.Token = answer.Token
	}
	return h.refreshed(s, room, answer, key, err, r)
}

// ended reports whether only a person can help: there is nothing to refresh from, or it has reached its known end.
func ended(si state.SignIn, now time.Time) bool {
	end := si.RefreshExpires
	return si.Dead != nil || si.NoRefresh || !end.IsZero() && !now.Before(end)
}

// hopeless returns the error for a sign-in that has ended.
func hopeless(now time.Time, server string, si state.SignIn) error {
	switch {
	case !ended(si, now):
		return nil
	case si.Dead != nil:
		return fail(credential.SignInDead, server, "the sign-in for "+server+" has ended: "+si.Dead.Reason)
	case si.NoRefresh:
		return fail(credential.NoSignIn, server, "the access token for "+server+" has expired and there is no refresh token")
	}
	return fail(credential.NoSignIn, server, "the refresh token for "+server+" ended at "+si.RefreshExpires.Format(time.RFC3339))
}

// Ending says that only a person can bring another token for q than the cached one; nil where a refresh may.
func (h *Helper) Ending(q credential.Query) error {
	s, err := h.resolve(q)
	if err != nil {
		return nil
	}
	return hopeless(h.Now(), s.server.URL, s.signIn)
}

// spend redeems the refresh token, with everything slow done before: the keychain is read, the data key at hand, and the file
// for the rotated token has its name and its room on the disk, or nothing is spent. When the server refuses it, the keychain is read again: a sibling on another
// machine with the same home, or a sign-in, may have put a newer one there, which is then tried. Only when the current
// one is refused is the sign-in dead.
func (h refreshes) spend(ctx context.Context, s resolved) (credential.Answer, credential.Secret, error) {
	source, err := h.Source(s.signIn.Source)
	if err != nil {
		return credential.Answer{}, credential.Secret{}, err
	}
	target := s.target()
	if target.Endpoints.Token == "" {
		if target.Endpoints, err = h.endpoints(ctx, s); err != nil {
			return credential.Answer{}, credential.Secret{}, err
		}
	}
	var refused *refusal
	for {
		g, err := h.open(ctx, s.signIn)
		if err != nil {
			return credential.Answer{}, g.DataKey, err
		}
		if g.RefreshToken.IsZero() {
			return credential.Answer{}, g.DataKey, fail(credential.NoSignIn, s.server.URL, "there is no refresh token for "+s.server.URL)
		}
		if refused != nil && refused.fingerprint == g.RefreshToken.Fingerprint() {
			return credential.Answer{}, g.DataKey, refused
		}
		room, err := cache.Parking{Store: h.Cache}.Take(s.signIn.ID, g.slot)
		if err != nil {
			return credential.Answer{}, g.DataKey, h.cannotStore(err)
		}
		h.Trace("refresh: one token request to " + credential.Origin(target.Endpoints.Token))
		answer, err := source.Silent(ctx, target, g.Grant, s.signIn.AuthMethod, h.keep(ctx, s, g, room))
		room.Release()
		if err == nil || credential.KindOf(err) != credential.SignInDead {
			return answer, g.DataKey, err
		}
		again := refused != nil
		refused = &refusal{fingerprint: g.RefreshToken.Fingerprint(), err: err}
		if again {
			return credential.Answer{}, g.DataKey, refused
		}
		h.Trace("refresh: refused; looking whether the keychain has a newer refresh token")
	}
}

// refusal carries which refresh token the server refused.
type refusal struct {
	fingerprint string
	err         error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// endpoints looks up the authorization server of a sign-in that came by store, which knows its issuer only.
func (h refreshes) endpoints(ctx context.Context, s resolved) (credential.Endpoints, error) {
	h.Trace("discovery: the metadata of " + s.server.Issuer)
	e, err := h.Issuer(ctx, s.server.URL, s.server.Issuer)
	if err != nil {
		return e, err
	}
	s.signIn.Endpoints = e
	return e, h.Records.PutSignIn(s.signIn)
}

// completed says on a new access token for whom it is.
func completed(s resolved, t credential.Token) credential.Token {
	t.Server, t.Resource, t.Issuer = s.server.URL, s.server.Resource, s.server.Issuer
	t.Account = cmp.Or(s.signIn.User, s.account.Label)
	if len(t.Scopes) == 0 {
		t.Scopes = s.granted()
	}
	return t
}

// refreshed puts a new access token where everybody finds it: the cache first, because callers wait for that, then the
// record. saved is what went wrong with the keychain, if anything.
func (h refreshes) refreshed(s resolved, room *cache.Reservation, answer credential.Answer, key credential.Secret, saved error, r Renewal) error {
	t := answer.Token
	_ = state.Notices{Records: h.Records}.Put(s.signIn.ID, "Refreshed MCP sign-in for "+s.server.Name) // first: who waits for the token looks for it
	cached := room.Put(key, t)
	h.Trace("refresh: the access token is cached")
	if cached == nil {
		cached = noTier(h.Cache.Heat(s.signIn.ID, key, t.Expiry))
	}
	si, err := records(h).latest(s)
	if err != nil {
		return errors.Join(cached, err)
	}
	if r.Refused != "" {
		si.Replaced = state.Replaced{At: h.Now(), Claims: r.Claims}
	}
	si.Expiry = t.Expiry
	si.Endpoints = s.signIn.Endpoints
	si.Attempts++
	si.Failures, si.NextTry, si.LastError = 0, time.Time{}, nil
	si.LastRefresh, si.Granted, si.Claims = h.Now(), t.Scopes, ""
	if !answer.Grant.RefreshToken.IsZero() {
		si.RefreshObtained = t.Obtained
	}
	if !answer.RefreshExpires.IsZero() {
		si.RefreshExpires = answer.RefreshExpires
	}
	if err := errors.Join(cached, saved); err != nil {
		si.LastError = newFailure(h.Now(), err)
	}
	state.Cooldowns{Records: h.Records}.End(startMark(si.Work())) // a server that refuses this very token is asked for another one without delay
	err = errors.Join(cached, h.Records.PutSignIn(si.Merged(false)))
	h.Trace("refresh: recorded")
	return err
}

// failed records a refresh that brought nothing, with the time before which nobody tries again.
func (h refreshes) failed(s resolved, err error) error {
	si, rerr := records(h).latest(s)
	if rerr != nil {
		return errors.Join(rerr, err)
	}
	si.Attempts++
	si.Failures++
	si.LastError = newFailure(h.Now(), err)
	si.NextTry = h.Now().Add(backoff(si.Failures, err))
	si.Claims = claimsOf(err, s.claims)
	var dead *refusal
	switch {
	case errors.As(err, &dead):
		si.Dead = &state.Dead{Reason: firstLine(dead.err.Error()), At: h.Now(), Fingerprint: dead.fingerprint}
		si.NextTry = time.Time{}
	case si.Registered && si.LastError.Code == "invalid_client": // registrations end; another one comes with the next sign-in
		si.Dead = &state.Dead{Reason: "the authorization server no longer knows the client that was registered for it", At: h.Now()}
		si.NextTry = time.Time{}
	case errors.Is(err, credential.ErrNoItem):
		err = noItem(s, err)
		si.LastError = newFailure(h.Now(), err)
	}
	h.Trace("refresh: failed: " + err.Error())
	if werr := h.Records.PutSignIn(si.Merged(credential.KindOf(err) == credential.Throttled)); werr != nil {
		return errors.Join(err, werr)
	}
	return err
}

// latest reads the record of a sign-in again. One that a logout has removed meanwhile is of kind NoSignIn.
func (h records) latest(s resolved) (state.SignIn, error) {
	si, err := h.Records.SignIn(s.signIn.ID)
	if errors.Is(err, state.ErrNone) {
		err = fail(credential.NoSignIn, s.server.URL, "somebody has signed out of "+s.server.URL)
	}
	return si.For(s.tokenID), err
}

// noItem says of credential.ErrNoItem what it means to a person.
func noItem(s resolved, err error) error {
	if !errors.Is(err, credential.ErrNoItem) {
		return err
	}
	return fail(credential.NoSignIn, s.server.URL, "the keychain no longer holds the sign-in for "+s.server.URL)
}

// claimsOf is what a sign-in that cures err has to prove: what the identity provider said, else what the server asked for.
func claimsOf(err error, challenged string) string {
	var typed *credential.Error
	if !errors.As(err, &typed) || typed.Kind != credential.StepUp {
		return ""
	}
	return cmp.Or(typed.Claims, challenged)
}

func newFailure(now time.Time, err error) *state.Failure {
	f := &state.Failure{Kind: credential.KindOf(err).String(), Text: firstLine(err.Error()), At: now}
	var typed *credential.Error
	if errors.As(err, &typed) {
		f.Code = typed.Code
	}
	return f
}

// backoff says how long after the n-th failure in a row the next attempt waits: what the server asked for, else one
// second doubling to a minute, with a tenth of jitter.
func backoff(n int, err error) time.Duration {
	var typed *credential.Error
	if errors.As(err, &typed) && typed.RetryAfter > 0 {
		return typed.RetryAfter
	}
	d := min(time.Second<<min(n-1, 6), time.Minute)
	return d + time.Duration(rand.Int64N(int64(d)/10+1))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

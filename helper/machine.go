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

// Machine is a process's own identity at an authorization server: a service principal, a workload, a managed identity.
// There is no person, no sign-in and no refresh token: flags, environment and configuration say who it is, how it proves
// that and which scopes it asks for. Nothing that a server publishes has a say in it.
type Machine interface {
	Principal() Principal
	// Token makes one token request. Of t it uses the endpoints, where Principal.Lookup is set, and the claims. Errors
	// are as those of source.Source.
	Token(ctx context.Context, t credential.Target) (credential.Token, error)
	// Key derives a data key from the secret that the process holds; the zero Secret where that is too short, or none.
	Key(salt []byte) (credential.Secret, error)
}

// Principal says who a machine identity is and what it asks for, without a secret.
type Principal struct {
	Kind     string // secret, certificate, workload, ...
	Account  string // label that is asked for at the other end of a forward
	Issuer   string
	ClientID string // empty: the system-assigned identity of the machine
	Resource string
	Scopes   []string
	Provider string // server URL of the identity provider that vouches for its person; empty: there is no person
	Lookup   bool   // its token endpoint is found in the issuer's metadata
}

// machines answers with tokens of machine identities.
type machines struct{ *Helper }

// find returns the identity that answers instead of a sign-in; nil: a sign-in does, or a person. One that is named
// by a flag or the configuration always answers. One that only the environment describes answers where nobody has
// signed in to the server (unknown is why), never to git, which offers every host on earth, and not where a label was
// asked for. What is wrong with that one matters only where no person can be asked instead, and there is no forward.
func (h machines) find(a Ask, unknown error) (m Machine, err error) {
	kind := credential.KindOf(unknown)
	nobody := unknown != nil && (kind == credential.NotFound || kind == credential.NoSignIn)
	onlyNamed, named := !nobody || a.Quiet || a.Query.Account != "", false
	if h.Machine != nil {
		m, named, err = h.Machine(a.Query, onlyNamed)
	}
	if named {
		return m, about(a.Query.URL, err)
	}
	if nobody && m == nil {
		if f := h.forwarder(a); f != nil {
			return f, nil
		}
	}
	if onlyNamed {
		return nil, nil
	}
	if err != nil && a.Prompt && h.Reachable() {
		h.Trace("identity: " + err.Error())
		return nil, nil
	}
	if err != nil {
		err = credential.Fail(credential.KindOf(err), "nobody has signed in to "+a.Query.URL+", and the environment does not help", err)
	}
	return m, about(a.Query.URL, err)
}

// about adds the server to an error that has none, for its hint.
func about(server string, err error) error {
	var typed *credential.Error
	if errors.As(err, &typed) && typed.Server == "" {
		typed.Server = server
	}
	return err
}

// identity is one question to a machine identity: for which server, and what is recorded of it there.
type identity struct {
	*Helper
	machine Machine
	who     Principal
	server  string
	record  state.Machine
}

// identity finds the record of a machine identity at a server, or begins one.
func (h machines) identity(server string, m Machine) (identity, error) {
	r := identity{Helper: h.Helper, machine: m, who: m.Principal(), server: server}
	tokenID := credential.TokenID(r.who.Kind, server, r.who.Resource, r.who.Scopes)
	id := credential.SignInID(r.who.Issuer, r.who.ClientID, "identity"+r.who.Account, tokenID)
	var err error
	r.record, err = h.Records.Machine(id)
	if errors.Is(err, state.ErrNone) {
		r.record = state.Machine{
			Kind: r.who.Kind, Server: server, Scopes: r.who.Scopes, Token: tokenID,
			SignIn: state.SignIn{ID: id, ClientID: r.who.ClientID, Resource: r.who.Resource, Created: h.Now(),
				Endpoints: credential.Endpoints{Issuer: r.who.Issuer}},
		}
		return r, nil
	}
	return r, err
}

// resolved is the identity as the code that it shares with sign-ins sees it.
func (r identity) resolved() resolved {
	return resolved{server: state.Server{URL: r.server}, signIn: r.record.SignIn, tokenID: r.record.Token}
}

// get answers a get for a machine identity. The token request happens here, not in a process of its own: there is
// no refresh token that a killed process could lose. Of many processes one makes it, the others wait for its result.
func (h machines) get(ctx context.Context, a Ask, m Machine) (credential.Token, error) {
	ctx, cancel := context.WithDeadline(ctx, a.until)
	defer cancel()
	before := -1
	for pause := pollFirst; ; pause = min(pause*5/4, pollMost) {
		r, err := h.identity(a.Query.URL, m)
		if err != nil {
			return credential.Token{}, err
		}
		t, err := r.read(ctx)
		if before < 0 {
			before = r.record.Attempts
			if a.Force && a.Refused.IsZero() {
				a.Refused = t.Access
			}
		}
		if err == nil && a.serves(t, h.Now()) {
			r.answered(a.Query, t)
			return t, nil
		}
		if err := tokens(h).blocked(ctx, r.server, r.record.SignIn, before); err != nil {
			return credential.Token{}, err
		}
		t, done, err := r.fetch(ctx, a)
		if done || err != nil {
			return t, err
		}
		if wait.Sleep(ctx, pause) != nil {
			return credential.Token{}, fail(credential.StillRefreshing, r.server, "another process has been asking for a token for "+r.server+" for "+a.Wait.String())
		}
	}
}

// fetch makes the token request if no other process is at it and the last answer did not ask to wait; done: it has.
func (r identity) fetch(ctx context.Context, a Ask) (t credential.Token, done bool, err error) {
	if r.record.Resting(r.Now()) {
		return t, false, nil
	}
	path, err := r.Records.LockPath(r.record.ID)
	if err != nil { // a container's home may be read-only: the token is for this caller alone
		r.Warn("nothing can be kept: " + err.Error())
		t, err = r.request(ctx, a)
		return t, true, about(r.server, err)
	}
	held, ok, err := cache.TryLock(path)
	if !ok || err != nil {
		return t, false, err
	}
	defer held.Release()
	now, err := machines{r.Helper}.identity(r.server, r.machine) // again: a sibling may have been quicker
	if err != nil || now.record.Attempts != r.record.Attempts {
		return t, false, err
	}
	t, err = now.fetchLocked(ctx, a)
	if err == nil {
		now.answered(a.Query, t)
	}
	return t, true, err
}

// fetchLocked makes the token request and records how it went. The caller holds the record's lock.
func (r *identity) fetchLocked(ctx context.Context, a Ask) (credential.Token, error) {
	t, err := r.request(ctx, a)
	if err != nil {
		return t, about(r.server, r.failed(err))
	}
	if err := r.keep(ctx, t); err != nil {
		r.Warn("the token for " + r.server + " could not be kept: " + err.Error())
	}
	rec := &r.record
	rec.Attempts++
	rec.Failures, rec.NextTry, rec.LastError = 0, time.Time{}, nil
	rec.LastRefresh, rec.Granted = r.Now(), t.Scopes
	if err := r.Records.PutMachine(*rec); err != nil {
		r.Warn(err.Error())
	}
	return t, nil
}

func (r *identity) request(ctx context.Context, a Ask) (credential.Token, error) {
	if f, ok := r.machine.(Forwarder); ok {
		r.Trace("forward: asking for a token")
		return f.Forward(ctx, a)
	}
	target := credential.Target{
		Server: r.server, Resource: r.who.Resource, Scopes: r.who.Scopes, Claims: a.Claims, ClientID: r.who.ClientID,
		Endpoints: r.record.Endpoints,
	}
	if r.who.Lookup && target.Endpoints.Token == "" {
		r.Trace("discovery: the metadata of " + r.who.Issuer)
		var err error
		if target.Endpoints, err = r.Issuer(ctx, r.server, r.who.Issuer); err != nil {
			return credential.Token{}, err
		}
		r.record.Endpoints = target.Endpoints
	}
	r.Trace("identity: asking for a token as " + r.who.Kind)
	t, err := r.machine.Token(ctx, target)
	t.Server, t.Resource, t.Issuer = r.server, r.who.Resource, r.who.Issuer
	t.Account = cmp.Or(t.Account, r.who.ClientID)
	return t, err
}

// failed records a request that brought nothing, and the time before which nobody asks again. Settings can be
// put right at any moment, so what they cause holds the next attempt up for a second only.
func (r identity) failed(err error) error {
	_, forwarded := r.machine.(Forwarder)
	if forwarded && needsPerson(err) { // who may ask a person need not wait for that
		return err
	}
	rec := r.record
	rec.Attempts++
	rec.Failures++
	rec.LastError = newFailure(r.Now(), err)
	wait := backoff(rec.Failures, err)
	kind := credential.KindOf(err)
	if forwarded || kind != credential.Network && kind != credential.Throttled {
		wait = time.Second // the other end of a forward sees to that itself
	}
	rec.NextTry = r.Now().Add(wait)
	r.Trace("identity: failed: " + err.Error())
	if werr := r.Records.PutMachine(rec); werr != nil {
		return errors.Join(err, werr)
	}
	return err
}

// answered leaves the pointer for the next warm get, and starts a refresh when the token is in its window.
func (r identity) answered(q credential.Query, t credential.Token) {
	r.Trace("cache: a token that is valid for " + t.Left(r.Now()))
	if r.record.Place == placeNone {
		return // no other process can see it: nothing leads to it, and nobody can refresh it
	}
	tokens{r.Helper}.point(q, r.resolved())
	if !t.Due(r.Now()) {
		return
	}
	if ready, _ := restarts(r.Records, r.record.SignIn, r.Now()); ready {
		if err := r.Launch(Renewal{Query: q}.Args()...); err != nil {
			r.Trace("refresh: cannot start: " + err.Error())
		}
	}
}

// refresh refreshes ahead of time, in a process of its own.
func (h machines) refresh(ctx context.Context, q credential.Query, m Machine) error {
	r, err := h.identity(q.URL, m)
	if err != nil {
		return err
	}
	return h.locked(ctx, r.record.ID, credential.LockWait, func() error {
		ctx, cancel := context.WithTimeout(ctx, credential.RefreshTotal)
		defer cancel()
		r, err := h.identity(q.URL, m)
		if err != nil {
			return err
		}
		t, err := r.read(ctx)
		if err == nil && t.Valid(h.Now()) && !t.Due(h.Now()) || r.record.Resting(h.Now()) {
			h.Trace("refresh: another process has just done it, or it is too early")
			return nil
		}
		_, err = r.fetchLocked(ctx, Ask{Query: q})
		return err
	})
}

package helper

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
)

// memoryFleet is a store that several rigs share.
type memoryFleet struct {
	mu     sync.Mutex
	rows   map[string]credential.Shared
	away   error                                   // what every call fails with
	commit func(old, next credential.Shared) error // what a commit ends with; nil: well
	mayNot error                                   // what MaySignIn says
}

func (f *memoryFleet) Lookup(_ context.Context, id string) (credential.Shared, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	row, ok := f.rows[id]
	if f.away != nil {
		return row, f.away
	}
	if !ok {
		return row, credential.ErrNoItem
	}
	return row, nil
}

func (f *memoryFleet) Get(ctx context.Context, id string) ([]byte, error) {
	row, err := f.Lookup(ctx, id)
	return row.Grant, err
}

func (f *memoryFleet) Set(_ context.Context, id, _ string, value []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows[id] = credential.Shared{ID: id, Grant: value, Record: f.rows[id].Record, Servers: f.rows[id].Servers}
	return f.away
}

func (f *memoryFleet) Delete(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.rows, id)
	return f.away
}

func (f *memoryFleet) Serving(_ context.Context, server string) (out []credential.Shared, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, row := range f.rows {
		if slices.Contains(row.Servers, server) {
			out = append(out, row)
		}
	}
	return out, f.away
}

func (f *memoryFleet) Update(_ context.Context, id string, do func(credential.Shared, func() error) credential.Shared) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, ok := f.rows[id]
	if f.away != nil {
		return f.away
	}
	if !ok {
		return credential.ErrNoItem
	}
	next := do(old, func() error { return nil })
	if f.commit != nil {
		if err := f.commit(old, next); err != nil {
			return err
		}
	}
	f.rows[id] = next
	return nil
}

func (f *memoryFleet) MaySignIn(context.Context) error { return f.mayNot }
func (f *memoryFleet) Tier() string                    { return "shared memory" }
func (f *memoryFleet) Store() string                   { return "fleet" }
func (f *memoryFleet) DataKey(id string) (credential.Secret, error) {
	return credential.NewSecret((id + strings.Repeat("k", dataKeyLen))[:dataKeyLen]), nil
}

// newFleet is machines that share sign-ins, and one authorization server.
func newFleet(t *testing.T, n int) (*memoryFleet, []*rig) {
	t.Helper()
	f := &memoryFleet{rows: map[string]credential.Shared{}}
	var out []*rig
	for range n {
		r := newRig(t)
		r.Keychain = func(context.Context, string) (Keychain, error) { return f, nil }
		r.Fleet = func(context.Context, string) (Fleet, error) { return f, nil }
		r.Launch = func(...string) error { // the process that get starts
			_ = r.refresh()
			return nil
		}
		if len(out) > 0 {
			r.server, r.now = out[0].server, out[0].now
		}
		out = append(out, r)
	}
	return f, out
}

func (r *rig) mustGet() credential.Token {
	r.t.Helper()
	t, err := r.get()
	if err != nil {
		r.t.Fatal(err)
	}
	return t
}

func (r *rig) mustRefresh() {
	r.t.Helper()
	if err := r.refresh(); err != nil {
		r.t.Fatal(err)
	}
}

func TestFleetSharesTokens(t *testing.T) {
	_, m := newFleet(t, 3)
	m[0].login(Login{})
	first := m[0].mustGet()
	for _, r := range m[1:] {
		if got := r.mustGet(); !got.Access.Equal(first.Access) || m[0].server.requests != 0 {
			t.Fatal("another machine has spent the refresh token for what was there")
		}
	}
	for _, r := range m {
		r.now = r.now.Add(2 * time.Hour)
	}
	m[0].server.now = func() time.Time { return m[0].now }
	for _, r := range m {
		r.mustRefresh()
	}
	if a, b := m[0].mustGet(), m[2].mustGet(); !a.Access.Equal(b.Access) || m[0].server.requests != 1 {
		t.Errorf("%d token requests", m[0].server.requests)
	}
}

// A token that is bound to a key comes to other machines with it.
func TestFleetSharesKeys(t *testing.T) {
	_, m := newFleet(t, 2)
	for _, r := range m {
		r.found.Bound = true
	}
	m[0].login(Login{})
	for _, r := range m {
		r.proven("access-1", "key-1")
	}
	for _, r := range m {
		r.now = r.now.Add(2 * time.Hour)
		r.mustRefresh()
		r.proven("access-2", "key-1")
	}
	if m[0].server.requests != 1 {
		t.Errorf("%d token requests", m[0].server.requests)
	}
}

// The commit is uncertain: the token is handed out, its successor is parked, and the next refresh goes on from there.
func TestFleetCommitFails(t *testing.T) {
	for name, happened := range map[string]bool{"it had happened": true, "it had not": false} {
		t.Run(name, func(t *testing.T) {
			f, m := newFleet(t, 1)
			r := m[0]
			r.login(Login{})
			id := r.resolved().signIn.ID
			r.now = r.now.Add(2 * time.Hour)
			f.commit = func(_, next credential.Shared) error {
				if happened {
					f.rows[id] = next
				}
				return credential.Fail(credential.Network, "the connection is lost", nil)
			}
			r.mustRefresh()
			r.mustGet()
			key, _ := f.DataKey(id)
			if len(r.warned) != 1 || len((cache.Parking{Store: r.Cache}).All(key, id)) != 1 {
				t.Fatalf("warned %v", r.warned)
			}
			f.commit = nil
			r.now = r.now.Add(2 * time.Hour)
			r.mustRefresh()
			r.mustGet()
			if len((cache.Parking{Store: r.Cache}).All(key, id)) != 0 || r.server.revoked {
				t.Error("the parked refresh token was not used, or stays")
			}
		})
	}
}

func TestFleetLearnsOfSignInsAndOuts(t *testing.T) {
	f, m := newFleet(t, 2)
	a, b := m[0], m[1]
	a.login(Login{})
	b.login(Login{})
	if b.signIns != 0 {
		t.Error("a person was asked on the second machine")
	}
	// The refresh token is refused: one machine tries it, the other hears of that.
	a.server.revoked = true
	for _, r := range m {
		r.now = r.now.Add(2 * time.Hour)
		if err := r.refresh(); credential.KindOf(err) != credential.SignInDead {
			t.Errorf("a refused refresh token: %v", err)
		}
	}
	if n := a.server.requests; n != 1 {
		t.Errorf("%d machines have tried it", n)
	}
	a.login(Login{Anew: true})
	b.mustGet()
	f.mayNot = credential.Fail(credential.Misconfigured, "this machine may only get", nil)
	if _, err := b.Logout(t.Context(), testServer, ""); credential.KindOf(err) != credential.Misconfigured || len(f.rows) != 1 {
		t.Errorf("a machine that may only get signs out: %v", err)
	}
	f.mayNot = nil
	if _, err := a.Logout(t.Context(), testServer, ""); err != nil || len(f.rows) != 0 {
		t.Errorf("%v, %d rows", err, len(f.rows))
	}
	f.away = credential.Fail(credential.Network, "it is away", nil)
	if _, err := a.get(); credential.KindOf(err) != credential.Network {
		t.Errorf("the database is away: %v", err)
	}
	f.away = nil
	if _, err := a.get(); credential.KindOf(err) != credential.NotFound {
		t.Errorf("nobody has signed in: %v", err)
	}
	if _, err := f.Get(t.Context(), "x"); !errors.Is(err, credential.ErrNoItem) {
		t.Error(err)
	}
}

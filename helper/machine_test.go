package helper

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/datakey"
	"github.com/mcp-credential/mcp-credential/state"
)

// service is a service principal with an authorization server of its own.
type service struct {
	mu       sync.Mutex
	who      Principal
	secret   string
	life     time.Duration
	now      func() time.Time
	requests int
	claims   []string
	fail     error // of every request
}

func (s *service) Principal() Principal { return s.who }

func (s *service) Key(salt []byte) (credential.Secret, error) {
	return datakey.Derive([]byte(s.secret), salt)
}

func (s *service) Token(_ context.Context, t credential.Target) (credential.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.claims = append(s.claims, t.Claims)
	if s.fail != nil {
		return credential.Token{}, s.fail
	}
	now := s.now()
	return credential.Token{
		Access: credential.NewSecret("machine-" + strconv.Itoa(s.requests)), Type: "Bearer", Obtained: now,
		Expiry: now.Add(s.life), RefreshAt: now.Add(s.life * 4 / 5), Scopes: t.Scopes,
	}, nil
}

// machineRig is a rig whose environment describes a service principal.
type machineRig struct {
	*rig
	service *service
	named   bool
	broken  error
}

func newMachineRig(t *testing.T) *machineRig {
	r := &machineRig{rig: newRig(t), service: &service{
		who:    Principal{Kind: "secret", Issuer: testIssuer, ClientID: "app", Scopes: []string{"api://app/.default"}},
		secret: strings.Repeat("s", 40), life: time.Hour,
	}}
	r.service.now = func() time.Time { return r.now }
	r.Machine = func(credential.Query, bool) (Machine, bool, error) {
		if r.broken != nil {
			return nil, r.named, r.broken
		}
		return r.service, r.named, nil
	}
	return r
}

func (r *machineRig) record() state.Machine {
	r.t.Helper()
	all, err := r.Records.Machines()
	if err != nil || len(all) != 1 {
		r.t.Fatalf("%d records, %v", len(all), err)
	}
	return all[0]
}

// The front opens a hot token by its pointer, and by that of the same principal alone.
func TestMachineIsWarm(t *testing.T) {
	r := newMachineRig(t)
	q := r.query()
	q.Principal, q.Scopes = "AZURE_CLIENT_ID=app", []string{"api://app/.default"}
	if _, err := r.Get(t.Context(), Ask{Query: q, Wait: time.Second}); err != nil {
		t.Fatal(err)
	}
	w := Warm{Cache: r.Cache, Records: r.Records, Now: r.Now, Trace: r.Trace}
	if hit, err := w.Get(q); err != nil || hit.Token.Access.Reveal() != "machine-1" || hit.Due {
		t.Errorf("%+v, %v", hit, err)
	}
	for _, other := range []func(*credential.Query){
		func(q *credential.Query) { q.Principal = "AZURE_CLIENT_ID=another" }, func(q *credential.Query) { q.Principal = "" },
		func(q *credential.Query) { q.Identity = "managed" }, func(q *credential.Query) { q.Tenant = "another" },
		func(q *credential.Query) { q.Scopes = nil },
	} {
		q := q
		other(&q)
		if hit, err := w.Get(q); !errors.Is(err, ErrCold) {
			t.Errorf("%+v is answered by %v", q, hit)
		}
	}
	r.now = r.now.Add(50 * time.Minute)
	if hit, err := w.Get(q); err != nil || !hit.Due || !hit.Machine {
		t.Errorf("in its window: %+v, %v", hit, err)
	}
}

// Another client, tenant, kind or scope has another token.
func TestMachinesDoNotShareTokens(t *testing.T) {
	r := newMachineRig(t)
	for i, change := range []func(*Principal){
		func(*Principal) {}, func(p *Principal) { p.ClientID = "b" }, func(p *Principal) { p.Issuer = "https://other.example" },
		func(p *Principal) { p.Kind = "certificate" }, func(p *Principal) { p.Scopes = []string{"api://b/.default"} },
		func(p *Principal) { p.Resource = "https://mcp.example" },
	} {
		change(&r.service.who)
		got, err := r.get()
		wantAccess(t, got, err, "machine-"+strconv.Itoa(i+1))
	}
}

func TestMachineRefreshesAhead(t *testing.T) {
	r := newMachineRig(t)
	_, _ = r.get()
	r.now = r.now.Add(50 * time.Minute)
	r.service.fail = errDown
	q := r.query()
	q.Identity, q.Tenant, q.ClientID, q.Scopes = "secret", "t", "app", []string{"s1", "s2"}
	got, err := r.Get(t.Context(), Ask{Query: q, Wait: time.Second})
	wantAccess(t, got, err, "machine-1")
	want := []string{"refresh", testServer, "--client-id=app", "--tenant=t", "--identity=secret", "--scope=s1", "--scope=s2"}
	if len(r.launched) != 1 || !slices.Equal(r.launched[0], want) {
		t.Fatalf("launched %q", r.launched)
	}
	wantKind(t, r.refresh(), credential.Network)
	got, err = r.get()
	wantAccess(t, got, err, "machine-1") // the network is down, the token is valid
	r.service.fail, r.now = nil, r.now.Add(2*time.Minute)
	if err := r.refresh(); err != nil {
		t.Fatal(err)
	}
	got, err = r.get()
	wantAccess(t, got, err, "machine-3")
	if err := r.refresh(); err != nil || r.service.requests != 3 {
		t.Errorf("a second refresh asked again: %d requests, %v", r.service.requests, err)
	}
}

// What an authorization server asks to wait binds the next process too; what settings cause does not for long.
func TestMachineRetryAfter(t *testing.T) {
	r := newMachineRig(t)
	r.service.fail = &credential.Error{Kind: credential.Throttled, Text: "wait", RetryAfter: time.Minute}
	for range 3 {
		_, err := r.get()
		wantKind(t, err, credential.Throttled)
		var e *credential.Error
		if errors.As(err, &e); e.RetryAfter != time.Minute || e.Server != testServer {
			t.Errorf("%+v", e)
		}
	}
	if r.service.requests != 1 {
		t.Fatalf("%d requests", r.service.requests)
	}
	r.now, r.service.fail = r.now.Add(time.Minute), credential.Fail(credential.Misconfigured, "wrong secret", nil)
	_, err := r.get()
	wantKind(t, err, credential.Misconfigured)
	r.now, r.service.fail = r.now.Add(time.Second), nil
	got, err := r.get()
	wantAccess(t, got, err, "machine-3")
	if rec := r.record(); rec.LastError != nil || rec.Failures != 0 {
		t.Errorf("%+v", rec)
	}
}

func TestManyMachinesAskOnce(t *testing.T) {
	r := newMachineRig(t)
	var all sync.WaitGroup
	errs := make(chan error, 50)
	for range 50 {
		all.Go(func() {
			_, err := r.Get(context.Background(), Ask{Query: r.query(), Wait: 10 * time.Second})
			errs <- err
		})
	}
	all.Wait()
	for range 50 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if r.service.requests != 1 {
		t.Errorf("%d requests", r.service.requests)
	}
}

// A person who has signed in goes before the environment, not before what is named.
func TestWhoAnswers(t *testing.T) {
	r := newMachineRig(t)
	r.login(Login{})
	got, err := r.get()
	wantAccess(t, got, err, "access-1")
	r.named = true
	got, err = r.get()
	wantAccess(t, got, err, "machine-1")
	r.named, r.broken = false, credential.Fail(credential.Misconfigured, "half", nil)
	got, err = r.get()
	wantAccess(t, got, err, "access-1")
}

func TestBrokenEnvironment(t *testing.T) {
	r := newMachineRig(t)
	r.broken = credential.Fail(credential.Misconfigured, "half", nil)
	_, err := r.get()
	wantKind(t, err, credential.Misconfigured)
	r.reach = true
	_, err = r.Get(t.Context(), Ask{Query: r.query(), Prompt: true, Wait: time.Millisecond})
	wantKind(t, err, credential.Prompting) // a person is asked instead
	r.named = true
	_, err = r.Get(t.Context(), Ask{Query: r.query(), Prompt: true, Wait: time.Millisecond})
	wantKind(t, err, credential.Misconfigured)
}

// git offers every host on earth: the environment alone answers none of them.
func TestMachineIsSilentToGit(t *testing.T) {
	r := newMachineRig(t)
	_, err := r.Get(t.Context(), Ask{Query: r.query(), Quiet: true, Wait: time.Second})
	wantKind(t, err, credential.NotFound)
	q := r.query()
	q.Account = "work"
	_, err = r.Get(t.Context(), Ask{Query: q, Wait: time.Second})
	wantKind(t, err, credential.NotFound)
	if r.service.requests != 0 {
		t.Errorf("%d requests", r.service.requests)
	}
	r.named = true
	got, err := r.Get(t.Context(), Ask{Query: r.query(), Quiet: true, Wait: time.Second})
	wantAccess(t, got, err, "machine-1")
}

// A generic authorization server is looked up once, at the issuer that the configuration names.
func TestMachineLookup(t *testing.T) {
	r := newMachineRig(t)
	r.service.who.Lookup = true
	lookups := 0
	r.Issuer = func(_ context.Context, _, issuer string) (credential.Endpoints, error) {
		lookups++
		return credential.Endpoints{Issuer: issuer, Token: issuer + "/token"}, nil
	}
	for range 3 {
		if _, err := r.get(); err != nil {
			t.Fatal(err)
		}
		r.now = r.now.Add(2 * time.Hour)
	}
	if lookups != 1 || r.service.requests != 3 {
		t.Errorf("%d lookups, %d requests", lookups, r.service.requests)
	}
}

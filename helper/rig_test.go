package helper

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/state"
)

const (
	testServer = "https://mcp.example/mcp"
	testIssuer = "https://login.example"
)

// rig is a Helper in a world of its own: a clock that stands still, a keychain in memory and an authorization server
// that rotates refresh tokens and revokes the grant when one is used twice.
type rig struct {
	*Helper
	t         *testing.T
	now       time.Time
	chain     sync.Mutex // of items
	items     map[string][]byte
	setFails  error
	gets      int    // reads of the keychain
	stopsIn   func() // called when the keychain is written to
	server    *rotating
	launched  [][]string
	warned    []string
	said      []Proposal
	approvals []Proposal
	noYes     error
	signIns   int
	signing   func(context.Context) error // what the person does; nil: signs in
	unasked   bool                        // the person was shown nothing
	settings  Settings
	found     Found
	reach     bool
	attended  bool
	wait      time.Duration // how long get waits; tests that see it end make it short
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir, err := home.Find(t.TempDir()+"/home", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	r := rigAt(dir)
	r.t = t
	return r
}

// rigAt is a rig in a home that other processes may use too. It has no test.
func rigAt(dir home.Dir) *rig {
	r := &rig{wait: 5 * time.Second, now: time.Now().Truncate(time.Second), items: map[string][]byte{}, server: &rotating{life: time.Hour}}
	r.server.now = func() time.Time { return r.now }
	r.found = Found{Resource: testServer, Name: "Example", Scopes: []string{"read"}, Source: "oauth",
		Endpoints: credential.Endpoints{Issuer: testIssuer, Token: testIssuer + "/token", Authorization: testIssuer + "/authorize"}}
	r.Helper = &Helper{
		Dir: dir, Cache: cache.Open(dir, cache.MemoryKeys()), Records: state.Records{Dir: dir},
		Settings: func(string) Settings { return r.settings }, Config: func() (int64, int64) { return 0, 0 },
		Keychain:       func(context.Context, string) (Keychain, error) { return r.keychain(), nil },
		Source:         func(string) (Refresher, error) { return r.server, nil },
		Find:           func(context.Context, string, Settings) (Found, error) { return r.found, nil },
		Issuer:         func(context.Context, string, string) (credential.Endpoints, error) { return r.found.Endpoints, nil },
		Launch:         func(args ...string) error { r.launched = append(r.launched, args); return nil },
		PassphraseFile: func(string) string { return "" },
		Attended:       func(string) bool { return r.attended },
		Reachable:      func() bool { return r.reach }, Person: func() Person { return r },
		HoldSignals: func() func() { return func() {} },
		Now:         func() time.Time { return r.now }, Trace: func(string) {}, Warn: func(s string) { r.warned = append(r.warned, s) },
	}
	return r
}

// Say and SignIn make the rig its own person.
func (r *rig) Say(p Proposal) error { r.said = append(r.said, p); return nil }

// Approve says no where the test has set noYes.
func (r *rig) Approve(p Proposal) error {
	r.approvals = append(r.approvals, p)
	return r.noYes
}

func (r *rig) Asked() bool { return r.signIns > 0 && !r.unasked }

func (r *rig) SignIn(ctx context.Context, _ string, _ Proposal, t credential.Target) (credential.Answer, error) {
	r.signIns++
	if r.signing != nil {
		if err := r.signing(ctx); err != nil {
			return credential.Answer{}, err
		}
	}
	client := t.ClientID
	if client == "" {
		client = "registered-" + strconv.Itoa(r.signIns)
	}
	a := r.server.issue(t.Scopes)
	a.ClientID, a.AuthMethod = client, "none"
	if t.Bound {
		a.Grant.Key = credential.NewSecret("key-" + strconv.Itoa(r.signIns))
		a.Token.Type, a.Token.Key = credential.TypeDPoP, a.Grant.Key
	}
	return a, nil
}

func (r *rig) login(l Login) Outcome {
	r.t.Helper()
	l.URL = testServer
	out, err := r.Login(r.t.Context(), l, r)
	if err != nil {
		r.t.Fatalf("login: %v", err)
	}
	return out
}

func (r *rig) query() credential.Query { return credential.Query{URL: testServer} }

func (r *rig) resolved() resolved {
	r.t.Helper()
	s, err := r.resolve(r.query())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) refresh() error { return r.Refresh(r.t.Context(), Renewal{Query: r.query()}) }

func (r *rig) get() (credential.Token, error) {
	return r.Get(r.t.Context(), Ask{Query: r.query(), Wait: r.wait})
}

type memoryChain struct{ r *rig }

func (r *rig) keychain() Keychain { return memoryChain{r} }

func (m memoryChain) Get(_ context.Context, id string) ([]byte, error) {
	m.r.chain.Lock()
	defer m.r.chain.Unlock()
	m.r.gets++
	v, ok := m.r.items[id]
	if !ok {
		return nil, credential.ErrNoItem
	}
	return slices.Clone(v), nil
}

func (m memoryChain) Set(_ context.Context, id, _ string, v []byte) error {
	m.r.chain.Lock()
	defer m.r.chain.Unlock()
	if m.r.stopsIn != nil {
		m.r.stopsIn()
	}
	if m.r.setFails != nil {
		return m.r.setFails
	}
	m.r.items[id] = slices.Clone(v)
	return nil
}

func (m memoryChain) Delete(_ context.Context, id string) error {
	m.r.chain.Lock()
	defer m.r.chain.Unlock()
	delete(m.r.items, id)
	return nil
}
func (m memoryChain) Tier() string  { return "memory" }
func (m memoryChain) Store() string { return "memory" }

// rotating is an authorization server with one grant.
type rotating struct {
	mu          sync.Mutex
	now         func() time.Time
	life        time.Duration
	n           int
	current     string
	used        []string
	requests    int
	fail        error // answers the next request with this
	before      func()
	revoked     bool
	revoking    func() // called at a revocation
	revocations int
	noRT        bool
	rtEnd       time.Time
}

func (s *rotating) issue(scopes []string) credential.Answer {
	s.n++
	s.current = "refresh-" + strconv.Itoa(s.n)
	s.revoked = false
	a := credential.Answer{
		Token: credential.Token{Access: credential.NewSecret("access-" + strconv.Itoa(s.n)), Type: "Bearer", Obtained: s.now(),
			Expiry: s.now().Add(s.life), RefreshAt: s.now().Add(s.life * 4 / 5), Scopes: scopes},
		Grant: credential.Grant{RefreshToken: credential.NewSecret(s.current)}, RefreshExpires: s.rtEnd,
	}
	if s.noRT {
		a.Grant.RefreshToken = credential.Secret{}
	}
	return a
}

func (s *rotating) Silent(_ context.Context, t credential.Target, g credential.Grant, _ string, keep func(credential.Grant) error) (credential.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.before != nil {
		s.before()
		s.before = nil
	}
	if err := s.fail; err != nil {
		s.fail = nil
		return credential.Answer{}, err
	}
	spent := g.RefreshToken.Reveal()
	if slices.Contains(s.used, spent) {
		s.revoked = true
	}
	if s.revoked || spent != s.current {
		return credential.Answer{}, credential.Fail(credential.SignInDead, "invalid_grant", nil)
	}
	s.used = append(s.used, spent)
	a := s.issue(t.Scopes)
	if !g.Key.IsZero() {
		a.Token.Type, a.Token.Key = credential.TypeDPoP, g.Key
	}
	g.RefreshToken = a.Grant.RefreshToken
	return a, keep(g)
}

func (s *rotating) Revoke(context.Context, credential.Target, credential.Grant, string) error {
	if s.revoking != nil {
		s.revoking()
	}
	s.revocations++
	s.revoked = true
	return nil
}

func wantKind(t *testing.T, err error, kind credential.Kind) {
	t.Helper()
	if err == nil || credential.KindOf(err) != kind {
		t.Fatalf("error %v of kind %v, want kind %v", err, credential.KindOf(err), kind)
	}
}

func wantAccess(t *testing.T, got credential.Token, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got.Access.Reveal() != want {
		t.Fatalf("token %s, want %s", got.Access.Reveal(), want)
	}
}

var errDown = credential.Fail(credential.Network, "the authorization server cannot be reached", nil)

var errLocked = credential.Fail(credential.KeychainLocked, "locked", nil)

func containsText(texts []string, part string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, part) })
}

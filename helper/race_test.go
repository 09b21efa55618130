package helper

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
)

// wantSignIns holds the home to this many sign-ins, each of them serving a server: status and logout find no others.
func (r *rig) wantSignIns(n int) {
	r.t.Helper()
	all, err := r.Records.SignIns()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, si := range all {
		if users, err := r.Records.Serves(si.ID); err != nil || len(users) == 0 {
			r.t.Errorf("the sign-in of client %s serves nobody, error %v", si.ClientID, err)
		}
	}
	if len(all) != n || len(r.items) != n {
		r.t.Errorf("%d sign-ins and %d keychain items, want %d", len(all), len(r.items), n)
	}
}

// A logout whose revocation takes long does not take off the account that somebody has signed in to meanwhile.
func TestLoginBesideASlowLogout(t *testing.T) {
	r := newRig(t)
	r.login(Login{ClientID: "first"})
	old := r.resolved().signIn.ID
	done := make(chan error, 1)
	r.server.revoking = sync.OnceFunc(func() {
		go func() {
			_, err := r.Login(t.Context(), Login{URL: testServer, ClientID: "second"}, r)
			done <- err
		}()
		r.eventually("the second sign-in is approved", func() bool {
			s, err := r.Records.Server(testServer)
			return err == nil && len(s.Accounts) == 1 && s.Accounts[0].SignIn != old
		})
	})
	if _, err := r.Logout(t.Context(), testServer, ""); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := r.resolved(); s.signIn.ClientID != "second" {
		t.Errorf("signed in with client %s", s.signIn.ClientID)
	}
	r.wantSignIns(1)
}

func (r *rig) eventually(what string, holds func() bool) {
	for end := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(end) {
			r.t.Errorf("not seen: %s", what)
			return
		}
		<-time.After(time.Millisecond)
	}
}

// A sign-in that is finished while another one waits for its person is replaced by that, revoked and gone.
func TestSignInWhileAnotherWaits(t *testing.T) {
	for name, meanwhile := range map[string]func(*rig) error{
		"login": func(r *rig) error {
			_, err := r.Login(r.t.Context(), Login{URL: testServer, ClientID: "second"}, r)
			return err
		},
		"store": func(r *rig) error {
			return r.Store(r.t.Context(), Import{Query: r.query(), Refresh: credential.NewSecret("given"), Issuer: testIssuer, ClientID: "second"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.signing = func(context.Context) error {
				r.signing = nil
				return meanwhile(r)
			}
			r.login(Login{ClientID: "first"})
			if s := r.resolved(); s.signIn.ClientID != "first" {
				t.Errorf("signed in with client %s", s.signIn.ClientID)
			}
			if r.server.revocations != 1 {
				t.Errorf("%d revocations, want 1", r.server.revocations)
			}
			r.wantSignIns(1)
		})
	}
}

// Whoever is overtaken by a logout needs a sign-in.
func TestOvertakenByALogout(t *testing.T) {
	for name, call := range map[string]func(*rig) error{
		"get": func(r *rig) error {
			r.expire()
			_, err := r.get()
			return err
		},
		"refresh": func(r *rig) error {
			r.expire()
			return r.refresh()
		},
		"store": func(r *rig) error {
			return r.Store(r.t.Context(), Import{Query: r.query(), Access: credential.NewSecret("other"), Bearer: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.login(Login{})
			logout := sync.OnceFunc(func() {
				if _, err := r.Logout(t.Context(), testServer, ""); err != nil {
					t.Error(err)
				}
			})
			overtaken := false
			r.Trace = func(text string) {
				if !overtaken && (strings.HasPrefix(text, "lock: waiting for ") || strings.HasPrefix(text, "refresh: starting")) {
					overtaken = true
					logout()
				}
			}
			err := call(r)
			if !overtaken {
				t.Fatal("nothing was overtaken")
			}
			if kind := credential.KindOf(err); err == nil || kind != credential.NoSignIn && kind != credential.NotFound {
				t.Errorf("%v", err)
			}
		})
	}
}

// Whoever is overtaken by a sign-in that replaces the one that was asked is served by that.
func TestOvertakenByALogin(t *testing.T) {
	replace := func(r *rig) func() {
		return sync.OnceFunc(func() {
			if _, err := r.Login(t.Context(), Login{URL: testServer, ClientID: "second"}, r); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("while it waits for a refresh", func(t *testing.T) {
		r := newRig(t)
		r.login(Login{ClientID: "first"})
		r.expire()
		overtake := replace(r)
		r.Trace = func(text string) {
			if strings.HasPrefix(text, "refresh: starting") {
				overtake()
			}
		}
		got, err := r.get()
		wantAccess(t, got, err, "access-2")
	})
	t.Run("between two records", func(t *testing.T) {
		r := newRig(t)
		r.login(Login{ClientID: "first"})
		overtake, settings, busy := replace(r), r.Settings, false
		r.Settings = func(url string) Settings {
			if !busy {
				busy = true
				overtake()
			}
			return settings(url)
		}
		got, err := r.get()
		wantAccess(t, got, err, "access-2")
	})
}

// Callers that wait for a refresh do not open the keychain before there is something to read, and then once.
func TestWaitingCallersLeaveTheKeychainAlone(t *testing.T) {
	r := newRig(t)
	r.Cache = cache.Open(r.Dir, coldKeys{})
	r.login(Login{})
	r.expire()
	r.gets, r.wait = 0, 200*time.Millisecond
	_, err := r.get()
	wantKind(t, err, credential.StillRefreshing)
	if r.gets != 0 {
		t.Errorf("the keychain was asked %d times for an expired token", r.gets)
	}
	if err := r.refresh(); err != nil {
		t.Fatal(err)
	}
	r.gets = 0
	got, err := r.get()
	wantAccess(t, got, err, "access-2")
	if r.gets != 1 {
		t.Errorf("the keychain was asked %d times for a fresh token, want once", r.gets)
	}
}

// Of many callers whose token was refused together, the last one is served the token that the first one has got.
func TestLateChallenge(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.Launch = func(args ...string) error {
		for _, arg := range args {
			if refused, ok := strings.CutPrefix(arg, "--refused="); ok {
				return r.Refresh(t.Context(), Renewal{Query: r.query(), Refused: refused})
			}
		}
		t.Errorf("launched %q", args)
		return nil
	}
	challenged := func(want string) {
		t.Helper()
		got, err := r.Get(t.Context(), Ask{Query: r.query(), Force: true, Wait: r.wait})
		wantAccess(t, got, err, want)
	}
	challenged("access-2")
	challenged("access-2")
	r.now = r.now.Add(credential.ReplacedRest)
	challenged("access-3")
}

// Where a sign-in answers, only an identity that somebody has named is looked for: finding one reads certificates, and
// hundreds of callers may come at once.
func TestNoIdentityIsLookedForBesideASignIn(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	var onlyNamed []bool
	r.Machine = func(_ credential.Query, only bool) (Machine, bool, error) {
		onlyNamed = append(onlyNamed, only)
		return nil, false, nil
	}
	got, err := r.get()
	wantAccess(t, got, err, "access-1")
	_, err = r.Get(t.Context(), Ask{Query: credential.Query{URL: "https://unknown.example/mcp"}, Wait: r.wait})
	wantKind(t, err, credential.NotFound)
	if len(onlyNamed) != 2 || !onlyNamed[0] || onlyNamed[1] {
		t.Errorf("looked for named ones only: %v, want true, then false", onlyNamed)
	}
}

package helper

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// far is the machine at the other end of a forward.
type far struct {
	query  credential.Query
	now    func() time.Time
	asked  []Ask
	errs   []error // of the next questions; nil: a token
	prompt []error // of the next ones that may ask a person, where there are any
}

func (f *far) Principal() Principal {
	return Principal{Kind: ForwardedKind, Account: f.query.Account, Resource: f.query.URL, Scopes: f.query.Scopes}
}

func (f *far) Token(context.Context, credential.Target) (credential.Token, error) {
	panic("a Forwarder is asked the whole question")
}

func (f *far) Key([]byte) (credential.Secret, error) { return credential.Secret{}, nil }

func (f *far) Forward(_ context.Context, a Ask) (credential.Token, error) {
	f.asked = append(f.asked, a)
	next := &f.errs
	if a.Prompt {
		next = &f.prompt
	}
	if len(*next) > 0 {
		err := (*next)[0]
		if *next = (*next)[1:]; err != nil {
			return credential.Token{}, err
		}
	}
	now := f.now()
	return credential.Token{
		Access: credential.NewSecret("far-" + strconv.Itoa(len(f.asked))), Type: "Bearer", Server: f.query.URL, Obtained: now, Expiry: now.Add(time.Hour), RefreshAt: now.Add(48 * time.Minute),
	}, nil
}

// farRig is a rig without a browser, at the end of a forward.
type farRig struct {
	*rig
	far  *far
	live bool
}

func newFarRig(t *testing.T) *farRig {
	r := &farRig{rig: newRig(t), far: &far{}, live: true}
	r.far.now = func() time.Time { return r.now }
	r.Forward = func(q credential.Query) (Forwarder, bool) {
		r.far.query = q
		return r.far, r.live
	}
	return r
}

func (r *farRig) ask(a Ask) (credential.Token, error) {
	if a.Query.URL == "" {
		a.Query = r.query()
	}
	if a.Wait == 0 {
		a.Wait = 3 * time.Second
	}
	return r.Get(r.t.Context(), a)
}

var errNotThere = credential.Fail(credential.NoSignIn, "nobody has signed in", nil)

func TestAForwardAnswersWhereNobodySignedIn(t *testing.T) {
	r := newFarRig(t)
	got, err := r.ask(Ask{})
	wantAccess(t, got, err, "far-1")
	got, err = r.ask(Ask{})
	wantAccess(t, got, err, "far-1")
	w := Warm{Cache: r.Cache, Records: r.Records, Now: r.Now, Trace: r.Trace}
	if hit, err := w.Get(r.query()); err != nil || hit.Token.Access.Reveal() != "far-1" {
		t.Errorf("warm: %+v, %v", hit, err)
	}
	got, err = r.ask(Ask{Query: credential.Query{URL: testServer, Account: "work"}}) // another account is another token
	wantAccess(t, got, err, "far-2")
	if _, err := r.ask(Ask{Query: credential.Query{URL: testServer + "/git"}, Quiet: true}); credential.KindOf(err) != credential.NotFound {
		t.Errorf("git: %v", err)
	}
	r.login(Login{URL: testServer})
	if got, err = r.ask(Ask{}); err != nil || got.Access.Reveal() == "far-1" || len(r.far.asked) != 2 {
		t.Errorf("with a sign-in of this home: %v, %d questions", err, len(r.far.asked))
	}
}

func TestWhoGoesBeforeAForward(t *testing.T) {
	r := newMachineRig(t)
	f := &far{query: r.query(), now: func() time.Time { return r.now }}
	r.Forward = func(credential.Query) (Forwarder, bool) { return f, true }
	got, err := r.Get(t.Context(), Ask{Query: r.query(), Wait: time.Second})
	wantAccess(t, got, err, "machine-1")
	r.broken = credential.Fail(credential.Misconfigured, "half of an identity", nil)
	got, err = r.Get(t.Context(), Ask{Query: r.query(), Wait: time.Second})
	wantAccess(t, got, err, "far-1")
	r.named = true
	_, err = r.Get(t.Context(), Ask{Query: r.query(), Wait: time.Second})
	wantKind(t, err, credential.Misconfigured)
}

func TestAnEndedForwardServesWhatIsCached(t *testing.T) {
	r := newFarRig(t)
	ended := credential.Fail(credential.Network, "it has ended", nil)
	r.far.errs = []error{ended}
	_, err := r.ask(Ask{})
	wantKind(t, err, credential.Network)
	r.live = false
	_, err = r.ask(Ask{Query: credential.Query{URL: testServer}})
	wantKind(t, err, credential.NotFound) // nothing has ever come by it

	r.live, r.now = true, r.now.Add(2*time.Second)
	got, err := r.ask(Ask{})
	wantAccess(t, got, err, "far-2")
	r.live, r.far.errs = false, []error{ended, ended}
	got, err = r.ask(Ask{})
	wantAccess(t, got, err, "far-2")
	r.now = r.now.Add(2 * time.Hour)
	_, err = r.ask(Ask{})
	wantKind(t, err, credential.Network)

	r.now = r.now.Add(2 * time.Second) // no longer than that is waited, whatever failed
	r.far.errs = nil
	if _, err = r.ask(Ask{}); err != nil {
		t.Error(err)
	}
}

func TestAPersonIsAskedAtTheOtherEnd(t *testing.T) {
	r := newFarRig(t)
	r.far.errs = []error{errNotThere}
	got, err := r.ask(Ask{Prompt: true})
	wantAccess(t, got, err, "far-3") // asked quietly, with a person, and for the cache
	if a := r.far.asked; a[0].Prompt || !a[1].Prompt || a[2].Prompt {
		t.Errorf("%+v", a)
	}

	r = newFarRig(t)
	r.far.errs = []error{errNotThere}
	_, err = r.ask(Ask{})
	wantKind(t, err, credential.NoSignIn)
	if e := (*credential.Error)(nil); len(r.far.asked) != 1 || !errors.As(err, &e) || !e.Forwarded {
		t.Errorf("%d questions, %+v", len(r.far.asked), err)
	}

	r = newFarRig(t)
	r.Silent, r.far.errs = true, []error{errNotThere}
	_, err = r.ask(Ask{Prompt: true})
	wantKind(t, err, credential.NoSignIn)
	if len(r.far.asked) != 1 {
		t.Errorf("%d questions", len(r.far.asked))
	}
}

// Who joins a sign-in asks until it is over; who does not is told that it is open.
func TestJoiningASignInAtTheOtherEnd(t *testing.T) {
	open := credential.Fail(credential.Prompting, "it is open", nil)
	r := newFarRig(t)
	r.far.errs, r.far.prompt = []error{errNotThere}, []error{open}
	_, err := r.ask(Ask{Prompt: true})
	wantKind(t, err, credential.Prompting)

	r = newFarRig(t)
	r.far.errs, r.far.prompt = []error{errNotThere}, []error{open, open}
	got, err := r.ask(Ask{Prompt: true, Join: true, Wait: time.Minute})
	wantAccess(t, got, err, "far-5")
}

func TestARefusedTokenIsNamedAtTheOtherEnd(t *testing.T) {
	r := newFarRig(t)
	if _, err := r.ask(Ask{}); err != nil {
		t.Fatal(err)
	}
	got, err := r.ask(Ask{Force: true, Scopes: []string{"more"}, Claims: "{}"})
	wantAccess(t, got, err, "far-2")
	if a := r.far.asked[1]; !a.Force || a.Refused.Reveal() != "far-1" || a.Claims != "{}" || len(a.Scopes) != 1 {
		t.Errorf("%+v", a)
	}
}

// Without a place for hot keys nothing is kept but in the process that asked.
func TestAForwardedTokenIsNotKeptWithoutAKey(t *testing.T) {
	r := newFarRig(t)
	r.Cache = cache.Open(r.Dir, coldKeys{})
	if _, err := r.ask(Ask{}); err != nil {
		t.Fatal(err)
	}
	other := rigAt(r.Dir)
	other.Cache, other.Forward, other.Now = r.Cache, r.Forward, r.Now
	got, err := other.Get(t.Context(), Ask{Query: r.query(), Wait: time.Second})
	wantAccess(t, got, err, "far-2")
}

func TestApprovalsOfOtherMachines(t *testing.T) {
	r := newRig(t)
	f := Forwards{r.Helper}
	approved := func(host, url string, want bool) {
		t.Helper()
		if got, err := f.Approved(host, url); err != nil || got != want {
			t.Errorf("%s, %s: %v, %v", host, url, got, err)
		}
	}
	r.login(Login{URL: testServer})
	approved("box", testServer, false)
	for _, err := range []error{f.Place("box", "/there"), f.Approve("box", testServer), f.Approve("box", testServer), f.Approve("box", testServer+"/2"), f.Approve("other", testServer)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	approved("box", testServer, true)
	approved("Box", testServer, false)
	if _, err := r.Logout(t.Context(), testServer, ""); err != nil {
		t.Fatal(err)
	}
	approved("box", testServer, false)
	approved("other", testServer, false)
	approved("box", testServer+"/2", true)
	if rec, err := (state.Forwards{Records: r.Records}).To("box"); err != nil || rec.Folder != "/there" || len(rec.Servers) != 1 {
		t.Errorf("%+v, %v", rec, err)
	}
	if _, err := r.Logout(t.Context(), "", ""); err != nil {
		t.Fatal(err)
	}
	approved("box", testServer+"/2", false)
}

package helper

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

func TestUnknownServerTouchesNothing(t *testing.T) {
	r := newRig(t)
	r.Find = nil // discovery would panic
	_, err := r.Get(t.Context(), Ask{Query: r.query(), Quiet: true, Prompt: true, Wait: time.Second})
	wantKind(t, err, credential.NotFound)
	_, err = r.get()
	wantKind(t, err, credential.NotFound)
	if len(r.launched) != 0 {
		t.Errorf("launched %v", r.launched)
	}
}

func TestSecondLoginNeedsNoPerson(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	out := r.login(Login{})
	if out.NewTab || r.signIns != 1 {
		t.Errorf("%d sign-ins, want 1", r.signIns)
	}
	if len(r.said) != 2 || !r.said[1].SignedIn {
		t.Errorf("said %+v", r.said)
	}
	if r.login(Login{Anew: true}); r.signIns != 2 {
		t.Error("--force did not sign in again")
	}
}

func TestMetadataThatChangesAfterApprovalChangesNothingForGet(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.found.Endpoints.Issuer, r.found.Scopes = "https://evil.example", []string{"everything"}
	r.now = r.now.Add(2 * time.Hour)
	if err := r.refresh(); err != nil {
		t.Fatal(err)
	}
	s := r.resolved()
	if s.server.Issuer != testIssuer || !credential.HasScopes([]string{"read"}, s.account.Scopes) {
		t.Errorf("approved became %s %v", s.server.Issuer, s.account.Scopes)
	}
	if r.login(Login{}); r.signIns != 2 || r.said[len(r.said)-1].Approved {
		t.Errorf("a login under other metadata must ask again: %d sign-ins, %+v", r.signIns, r.said)
	}
}

func TestStepUpKeepsWhatWasGranted(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	_, err := r.Get(t.Context(), Ask{Query: r.query(), Scopes: []string{"write"}, Wait: time.Second})
	wantKind(t, err, credential.StepUp)
	r.login(Login{Scopes: []string{"write"}})
	if got := r.resolved().account.Scopes; !credential.HasScopes(got, []string{"read", "write"}) {
		t.Errorf("scopes after the step-up: %v", got)
	}
	r.login(Login{})
	if got := r.resolved().account.Scopes; !credential.HasScopes(got, []string{"read", "write"}) || r.signIns != 2 {
		t.Errorf("a later login lost scopes: %v (%d sign-ins)", got, r.signIns)
	}
}

// An error names the account and the scopes that the command in its hint must have.
func TestErrorsSayWhatASignInIsFor(t *testing.T) {
	r := newRig(t)
	r.Reachable = func() bool { return true }
	r.login(Login{Account: "work"})
	q := r.query()
	q.Account = "work"
	for _, c := range []struct {
		account string
		ask     Ask
		kind    credential.Kind
		scopes  string
	}{
		{"work", Ask{Scopes: []string{"read", "write"}}, credential.StepUp, "write"},
		{"work", Ask{Scopes: []string{"write"}, Prompt: true}, credential.Prompting, "write"},
		{"home", Ask{}, credential.NoSignIn, ""},
		{"home", Ask{Scopes: []string{"write"}}, credential.NoSignIn, ""}, // login gets the same challenge
		{"home", Ask{Query: credential.Query{Scopes: []string{"admin"}}}, credential.NoSignIn, "admin"},
	} {
		c.ask.Query.URL, c.ask.Query.Account, c.ask.Wait = q.URL, c.account, 50*time.Millisecond
		_, err := r.Get(t.Context(), c.ask)
		wantKind(t, err, c.kind)
		var e *credential.Error
		if !errors.As(err, &e) || e.Account != c.account || strings.Join(e.Scopes, " ") != c.scopes || e.Server != q.URL {
			t.Errorf("%+v: %+v", c.ask, e)
		}
	}
}

func TestAccountsAreSignInsOfTheirOwn(t *testing.T) {
	r := newRig(t)
	r.login(Login{Account: "work"})
	r.server.used = nil
	r.login(Login{Account: "home"})
	if len(r.items) != 2 {
		t.Fatalf("%d keychain items, want 2", len(r.items))
	}
	got, err := r.get()
	wantAccess(t, got, err, "access-1") // the first one stays the default
	q := r.query()
	q.Account = "home"
	got, err = r.Get(t.Context(), Ask{Query: q, Wait: time.Second})
	wantAccess(t, got, err, "access-2")
	q.Account = "nobody"
	_, err = r.Get(t.Context(), Ask{Query: q, Wait: time.Second})
	wantKind(t, err, credential.NoSignIn)
}

func TestConfiguredIssuerIsObeyed(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.settings.Issuer = "https://other.example"
	_, err := r.get()
	wantKind(t, err, credential.NotApproved)
}

func TestGitQuestions(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	origin := credential.Query{URL: "https://mcp.example", OriginOf: true}
	if s, err := r.resolve(origin); err != nil || s.server.URL != testServer {
		t.Errorf("one server on the origin: %v", err)
	}
	below := credential.Query{URL: testServer + "/repo.git", Below: true}
	if _, err := r.resolve(below); err != nil {
		t.Errorf("a path below the server: %v", err)
	}
	for _, q := range []credential.Query{
		{URL: "https://mcp.example/mcpx", Below: true}, {URL: testServer + "/repo.git"},
		{URL: "https://mcp.example.evil", OriginOf: true}, {URL: "https://mcp.example:8443", OriginOf: true},
	} {
		if _, err := r.resolve(q); credential.KindOf(err) != credential.NotFound {
			t.Errorf("%+v: %v, want not found", q, err)
		}
	}
	s := r.resolved().server
	s.URL = "https://mcp.example/second"
	if err := r.Records.PutServer(s); err != nil {
		t.Fatal(err)
	}
	if _, err := r.resolve(origin); credential.KindOf(err) != credential.NotFound {
		t.Errorf("two servers on the origin: %v, want not found", err)
	}
}

func TestStoreKeepsOnlyWhatIsMeantForUs(t *testing.T) {
	r := newRig(t)
	secret := credential.NewSecret("someones-password")
	for name, g := range map[string]Import{
		"a password":            {Query: r.query(), Access: secret},
		"our own answer":        {Query: r.query(), Access: secret, Bearer: true, Ours: true},
		"an origin":             {Query: credential.Query{URL: "https://mcp.example", OriginOf: true}, Access: secret, Bearer: true},
		"half a refresh token":  {Query: r.query(), Refresh: secret, Issuer: testIssuer},
		"a clientless one":      {Query: r.query(), Refresh: secret, ClientID: "c"},
		"a bearer without text": {Query: r.query(), Bearer: true},
	} {
		if err := r.Store(t.Context(), g); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if servers, _ := r.Records.Servers(); len(servers) != 0 || len(r.items) != 0 {
		t.Errorf("stored %v, %d items", servers, len(r.items))
	}
}

func TestStoredGrantRefreshes(t *testing.T) {
	r := newRig(t)
	r.server.current = "refresh-given"
	err := r.Store(t.Context(), Import{Query: r.query(), Access: credential.NewSecret("access-given"), Bearer: true, Expiry: r.now.Add(time.Minute),
		Refresh: credential.NewSecret("refresh-given"), Issuer: testIssuer, ClientID: "theirs"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.get()
	wantAccess(t, got, err, "access-given")
	r.now = r.now.Add(time.Hour)
	if err := r.refresh(); err != nil {
		t.Fatal(err)
	}
	got, err = r.get()
	wantAccess(t, got, err, "access-1")
}

func TestStoredAccessTokenServesUntilItEnds(t *testing.T) {
	r := newRig(t)
	err := r.Store(t.Context(), Import{Query: r.query(), Access: credential.NewSecret("given"), Bearer: true, Expiry: r.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.get()
	wantAccess(t, got, err, "given")
	r.now = r.now.Add(2 * time.Hour)
	_, err = r.get()
	wantKind(t, err, credential.NoSignIn)
}

func TestEraseTakesBackOnlyTheCachedToken(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	if err := r.Erase(t.Context(), r.query(), credential.NewSecret("another-token")); err != nil {
		t.Fatal(err)
	}
	got, err := r.get()
	wantAccess(t, got, err, "access-1")
	if err := r.Erase(t.Context(), r.query(), credential.NewSecret("access-1")); err != nil {
		t.Fatal(err)
	}
	r.wait = 50 * time.Millisecond
	if _, err := r.get(); credential.KindOf(err) != credential.StillRefreshing {
		t.Errorf("after the erase: %v, want a refresh", err)
	}
	if len(r.items) != 1 {
		t.Error("the sign-in is gone")
	}
	if err := r.Erase(t.Context(), credential.Query{URL: "https://unknown.example"}, credential.Secret{}); err != nil {
		t.Errorf("an unknown server: %v", err)
	}
}

func TestLogoutForgetsEverything(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	gone, err := r.Logout(t.Context(), testServer, "")
	if err != nil || len(gone) != 1 {
		t.Fatalf("%v %v", gone, err)
	}
	if !r.server.revoked || len(r.items) != 0 {
		t.Errorf("revoked %v, %d items left", r.server.revoked, len(r.items))
	}
	_, err = r.get()
	wantKind(t, err, credential.NotFound)
	_, err = r.Logout(t.Context(), testServer, "")
	wantKind(t, err, credential.NotFound)
}

func TestPromptBudgetIsSharedAndGivenBack(t *testing.T) {
	r := newRig(t)
	r.reach = true
	ask := Ask{Query: r.query(), Prompt: true, Wait: 30 * time.Millisecond}
	_, err := r.Get(t.Context(), ask)
	wantKind(t, err, credential.Prompting)
	if len(r.launched) != 1 || r.launched[0][0] != OfferCommand {
		t.Fatalf("launched %v, want one offer", r.launched)
	}
	began := time.Now()
	ask.Wait = 5 * time.Second
	_, err = r.Get(t.Context(), ask)
	wantKind(t, err, credential.Prompting)
	if len(r.launched) != 1 || time.Since(began) > 2*time.Second {
		t.Errorf("the second caller waited %v, launched %v", time.Since(began), r.launched)
	}
	if err := r.Offer(t.Context(), Login{URL: testServer}); err != nil {
		t.Fatal(err)
	}
	if (state.Cooldowns{Records: r.Records}).Active(limitOf(r.Helper, r.query()).name, r.now, credential.PromptRest) {
		t.Error("a finished sign-in keeps its offerLimit")
	}
	got, err := r.Get(t.Context(), ask)
	wantAccess(t, got, err, "access-1")
}

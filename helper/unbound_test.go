package helper

import (
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestSecondServerSharesTheSignIn(t *testing.T) {
	r := newTenantRig(t)
	r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
	_, err := r.getFrom(secondServer, Ask{})
	wantKind(t, err, credential.NotFound)
	r.noYes = credential.Fail(credential.NotApproved, "no", nil)
	wantKind(t, r.loginTo(Login{URL: secondServer}), credential.NotApproved)
	if len(r.spent) != 0 || r.signIns != 1 {
		t.Fatalf("redeemed %d times, signed in %d times without a yes", len(r.spent), r.signIns)
	}
	r.noYes = nil
	r.must(r.loginTo(Login{URL: secondServer}))
	p := r.approvals[len(r.approvals)-1]
	if p.Server != secondServer || p.User != "alice" || p.ClientID != testClient || p.Approved || len(p.SameApp) != 0 {
		t.Errorf("asked for %+v", p)
	}
	two, err := r.getFrom(secondServer, Ask{})
	r.must(err)
	one, err := r.getFrom(testServer, Ask{})
	r.must(err)
	if two.Access.Equal(one.Access) || two.Server != secondServer || len(r.items) != 1 || r.signIns != 1 {
		t.Errorf("%v %v, %d keychain items", one, two, len(r.items))
	}
	r.must(r.loginTo(Login{URL: secondServer}))
	if len(r.approvals) != 2 || len(r.spent) != 1 {
		t.Errorf("asked %d times, refreshed %d times", len(r.approvals), len(r.spent))
	}
}

func TestLogoutLeavesTheSharedSignIn(t *testing.T) {
	r := newTenantRig(t)
	r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
	r.must(r.loginTo(Login{URL: secondServer}))
	for i, url := range []string{testServer, secondServer} {
		_, err := r.Logout(t.Context(), url, "")
		r.must(err)
		if want := 1 - i; len(r.items) != want {
			t.Errorf("%d keychain items after %s, want %d", len(r.items), url, want)
		}
	}
}

func TestTroubleOfOneServerIsItsOwn(t *testing.T) {
	r := newTenantRig(t)
	r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
	r.must(r.loginTo(Login{URL: secondServer}))
	r.failures[secondServer] = credential.Fail(credential.Misconfigured, "scopes", nil)
	r.now = r.now.Add(2 * time.Hour)
	_, err := r.getFrom(secondServer, Ask{})
	wantKind(t, err, credential.Misconfigured)
	if _, err := r.getFrom(testServer, Ask{}); err != nil {
		t.Errorf("the other server: %v", err)
	}
	_, err = r.getFrom(secondServer, Ask{Wait: 50 * time.Millisecond}) // paused
	wantKind(t, err, credential.Misconfigured)
	if len(r.spent) != 3 {
		t.Errorf("%d refreshes", len(r.spent)) // second server's first token, its failure, the first server's
	}
	r.now = r.now.Add(2 * time.Hour)
	r.failures[secondServer] = &credential.Error{Kind: credential.Throttled, Text: "wait", RetryAfter: 5 * time.Minute}
	_, err = r.getFrom(secondServer, Ask{})
	wantKind(t, err, credential.Throttled)
	_, err = r.getFrom(testServer, Ask{})
	wantKind(t, err, credential.Throttled)
	if len(r.spent) != 4 {
		t.Errorf("%d refreshes, a throttled tenant was asked again", len(r.spent))
	}
	r.now = r.now.Add(6 * time.Minute)
	if _, err := r.getFrom(testServer, Ask{}); err != nil {
		t.Error(err)
	}
	r.failures[testServer] = credential.Fail(credential.SignInDead, "revoked", nil)
	r.now = r.now.Add(2 * time.Hour)
	_, err = r.getFrom(testServer, Ask{})
	wantKind(t, err, credential.SignInDead)
	_, err = r.getFrom(secondServer, Ask{})
	wantKind(t, err, credential.SignInDead)
}

func TestClaimsReachRefreshAndSignIn(t *testing.T) {
	r := newTenantRig(t)
	r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
	first, err := r.getFrom(testServer, Ask{})
	r.must(err)
	second, err := r.getFrom(testServer, Ask{Force: true, Claims: `{"a":1}`})
	r.must(err)
	if second.Access.Equal(first.Access) || len(r.spent) != 1 || r.spent[0].Claims != `{"a":1}` {
		t.Fatalf("refreshed with %+v", r.spent)
	}
	r.failures[testServer] = credential.Fail(credential.StepUp, "a person", nil)
	_, err = r.getFrom(testServer, Ask{Force: true, Claims: `{"b":2}`})
	wantKind(t, err, credential.StepUp)
	r.must(r.loginTo(Login{URL: testServer}))
	if last := r.targets[len(r.targets)-1]; last.Claims != `{"b":2}` || last.User != "alice" {
		t.Errorf("signed in with %+v", last)
	}
	r.failures[testServer] = nil
	r.must(r.loginTo(Login{URL: testServer}))
	if r.signIns != 2 {
		t.Error("the claims outlive the sign-in that answered them")
	}
}

func TestScopesThatNoServerMayName(t *testing.T) {
	for name, scopes := range map[string][]string{
		"graph": {"https://graph.microsoft.com/.default"}, "bare": {"User.Read"}, "mixed": {"api://two/read", "https://vault.azure.net/.default"},
	} {
		r := newTenantRig(t)
		r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
		r.serve(secondServer, scopes...)
		for _, l := range []Login{{URL: secondServer}, {URL: secondServer, ClientID: testClient, Anew: true}, {URL: secondServer, Account: "new", ClientID: testClient}} {
			if err := r.loginTo(l); credential.KindOf(err) != credential.Hostile {
				t.Errorf("%s: %v", name, err)
			}
		}
		r.config[secondServer] = Settings{ClientID: testClient, Scopes: scopes, Issuer: tenantIssuer} // flags, not the file
		if _, err := r.getFrom(secondServer, Ask{}); credential.KindOf(err) != credential.NotFound {
			t.Errorf("%s by flags: %v", name, err)
		}
		if len(r.spent) != 0 || r.signIns != 1 || len(r.approvals) != 0 {
			t.Errorf("%s: redeemed %d, signed in %d, asked %d times", name, len(r.spent), r.signIns, len(r.approvals))
		}
	}
}

func TestScopesNeverMoveToAnotherApp(t *testing.T) {
	r := newTenantRig(t)
	r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
	_, err := r.getFrom(testServer, Ask{Force: true, Scopes: []string{"api://two/read"}, Prompt: true})
	wantKind(t, err, credential.Hostile)
	_, err = r.getFrom(testServer, Ask{Query: credential.Query{Scopes: []string{"https://graph.microsoft.com/Mail.Read"}}})
	wantKind(t, err, credential.Hostile)
	r.serve(testServer, "api://two/read")
	wantKind(t, r.loginTo(Login{URL: testServer}), credential.Hostile)
	r.serve(testServer, "api://one/admin")
	r.noYes = credential.Fail(credential.NotApproved, "no", nil)
	wantKind(t, r.loginTo(Login{URL: testServer}), credential.NotApproved)
	if len(r.spent) != 0 || r.signIns != 1 || len(r.launched) != 0 {
		t.Errorf("redeemed %d, signed in %d times, launched %v", len(r.spent), r.signIns, r.launched)
	}
	r.noYes = nil
	r.must(r.loginTo(Login{URL: testServer}))
	if got := r.resolved().account.Scopes; len(got) != 2 || len(r.spent) != 1 {
		t.Errorf("approved %v", got)
	}
}

// A server elsewhere that names an approved app would get tokens that are good at the other server.
func TestSameAppElsewhereTakesATypedYes(t *testing.T) {
	r := newTenantRig(t)
	r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
	r.serve(secondServer, "api://ONE/.default")
	r.must(r.loginTo(Login{URL: secondServer}))
	if p := r.approvals[0]; len(p.SameApp) != 1 || p.SameApp[0] != testServer {
		t.Errorf("the person was not told: %+v", p)
	}
	_, err := r.Logout(t.Context(), secondServer, "")
	r.must(err)
	r.reach = true
	err = r.Offer(t.Context(), Login{URL: secondServer, Account: "new", ClientID: testClient})
	wantKind(t, err, credential.NotApproved)
	if r.signIns != 1 {
		t.Error("a get has opened a sign-in for it")
	}
}

func TestAnotherPersonNeedsALabel(t *testing.T) {
	r := newTenantRig(t)
	r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
	r.must(r.loginTo(Login{URL: secondServer}))
	before := string(r.items[r.resolved().signIn.ID])
	r.who = "bob"
	err := r.loginTo(Login{URL: secondServer, Anew: true})
	wantKind(t, err, credential.BadInput)
	if !strings.Contains(err.Error(), "--account") || string(r.items[r.resolved().signIn.ID]) != before {
		t.Errorf("alice's sign-in was replaced: %v", err)
	}
	r.must(r.loginTo(Login{URL: secondServer, Account: "bob", ClientID: testClient}))
	if len(r.items) != 2 {
		t.Errorf("%d keychain items", len(r.items))
	}
	_, err = r.Logout(t.Context(), testServer, "")
	r.must(err)
}

func TestConfigurationApproves(t *testing.T) {
	r := newTenantRig(t)
	r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
	file := Approval{Issuer: tenantIssuer, ClientID: testClient, Scopes: []string{"https://graph.microsoft.com/.default"}}
	set := func(a Approval) {
		r.config[secondServer] = Settings{Issuer: a.Issuer, ClientID: a.ClientID, Scopes: a.Scopes, File: a}
	}
	for name, a := range map[string]Approval{
		"no client": {tenantIssuer, "", file.Scopes}, "no scopes": {tenantIssuer, testClient, nil}, "no issuer": {"", testClient, file.Scopes},
		"another client": {tenantIssuer, "x", file.Scopes}, "another tenant": {"https://login.microsoftonline.com/other.example/v2.0", testClient, file.Scopes},
	} {
		set(a)
		if _, err := r.getFrom(secondServer, Ask{}); credential.KindOf(err) != credential.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	set(file)
	_, err := r.getFrom(secondServer, Ask{})
	r.must(err)
	if len(r.spent) != 1 || r.spent[0].Scopes[0] != file.Scopes[0] || len(r.approvals) != 0 {
		t.Errorf("refreshed with %+v", r.spent)
	}
	set(Approval{tenantIssuer, testClient, []string{"api://two/read"}})
	_, err = r.getFrom(secondServer, Ask{})
	r.must(err)
	if got := r.spent[len(r.spent)-1].Scopes; len(got) != 1 || got[0] != "api://two/read" {
		t.Errorf("after a change of the file: %v", got)
	}
	r.config[secondServer] = Settings{}
	_, err = r.getFrom(secondServer, Ask{})
	wantKind(t, err, credential.NotApproved)
}

func TestAnotherClientTakesAnotherYes(t *testing.T) {
	r := newTenantRig(t)
	r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
	r.must(r.loginTo(Login{URL: secondServer, ClientID: "another"}))
	r.must(r.loginTo(Login{URL: testServer, ClientID: "another"}))
	if len(r.approvals) != 1 || r.signIns != 2 || r.resolved().signIn.ClientID != "another" {
		t.Errorf("asked %d times, signed in %d times, served by %s", len(r.approvals), r.signIns, r.resolved().signIn.ClientID)
	}
	if len(r.items) != 1 {
		t.Errorf("%d keychain items, the replaced sign-in is still there", len(r.items))
	}
}

func TestNoSharingAcrossTenantsAndClients(t *testing.T) {
	r := newTenantRig(t)
	r.must(r.loginTo(Login{URL: testServer, ClientID: testClient}))
	found := r.finds[secondServer]
	found.Endpoints.Issuer = "https://login.microsoftonline.com/other.example/v2.0"
	r.finds[secondServer] = found
	r.must(r.loginTo(Login{URL: secondServer, ClientID: testClient}))
	r.must(r.loginTo(Login{URL: testServer, ClientID: "another"}))
	if r.signIns != 3 || len(r.spent) != 0 || len(r.approvals) != 0 {
		t.Errorf("signed in %d times, redeemed %d times", r.signIns, len(r.spent))
	}
	for _, target := range r.targets {
		if target.User != "" || target.Claims != "" {
			t.Errorf("a sign-in knows of another one: %+v", target)
		}
	}
}

// Windows takes 2560 bytes for an item.
func TestStoredSizeOfASignIn(t *testing.T) {
	g := credential.Grant{RefreshToken: credential.NewSecret(strings.Repeat("r", 1600)), DataKey: newDataKey()}
	data, err := encodeGrant(g)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a sign-in with a refresh token of 1,600 bytes is an item of %d bytes; names are in the record", len(data))
	if len(data) > 1700 {
		t.Errorf("%d bytes", len(data))
	}
}

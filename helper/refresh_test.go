package helper

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestRefreshSpendsTheRefreshTokenOnce(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(2 * time.Hour)
	for range 3 {
		if err := r.refresh(); err != nil {
			t.Fatal(err)
		}
	}
	if r.server.requests != 1 {
		t.Errorf("%d token requests for three refreshes, want 1", r.server.requests)
	}
	got, err := r.get()
	wantAccess(t, got, err, "access-2")
}

func TestRotatedTokenIsInTheKeychainBeforeAnythingElse(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(2 * time.Hour)
	if err := r.refresh(); err != nil {
		t.Fatal(err)
	}
	g, err := r.grant(t.Context(), r.resolved().signIn)
	if err != nil || g.RefreshToken.Reveal() != "refresh-2" {
		t.Errorf("keychain holds %q (%v), want the rotated token", g.RefreshToken.Reveal(), err)
	}
}

func TestKeychainThatRefusesLosesNothing(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(2 * time.Hour)
	r.setFails = errLocked
	if err := r.refresh(); err != nil {
		t.Fatalf("a fresh token must reach the caller: %v", err)
	}
	if !containsText(r.warned, "is parked in the cache") {
		t.Errorf("warnings: %q", r.warned)
	}
	got, err := r.get()
	wantAccess(t, got, err, "access-2")
	r.setFails = nil
	r.now = r.now.Add(2 * time.Hour)
	if err := r.refresh(); err != nil {
		t.Fatalf("the parked refresh token was not used: %v", err)
	}
	got, err = r.get()
	wantAccess(t, got, err, "access-3")
	r.wantNothingParked()
}

func TestInvalidGrantRereadsTheKeychainGeminiCLI29048(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(2 * time.Hour)
	id := r.resolved().signIn.ID
	r.server.before = func() { // a sibling with the same keychain but another lock wins the race
		g, err := r.grant(t.Context(), r.resolved().signIn)
		kc, kerr := r.Keychain(t.Context(), "")
		if err = errors.Join(err, kerr); err != nil {
			t.Fatal(err)
		}
		r.server.used = append(r.server.used, "nothing")
		r.server.current = "refresh-won"
		g.RefreshToken = credential.NewSecret("refresh-won")
		if err := save(t.Context(), kc, id, "", g); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.refresh(); err != nil {
		t.Fatalf("the winner's refresh token was not tried: %v", err)
	}
	if r.server.requests != 2 {
		t.Errorf("%d token requests, want 2", r.server.requests)
	}
}

func TestRefusedSignInIsMarkedDeadAndKept(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(2 * time.Hour)
	r.server.revoked = true
	wantKind(t, r.refresh(), credential.SignInDead)
	s := r.resolved()
	if s.signIn.Dead == nil || s.signIn.Dead.Fingerprint != credential.NewSecret("refresh-1").Fingerprint() {
		t.Fatalf("dead mark: %+v", s.signIn.Dead)
	}
	if len(r.items) != 1 {
		t.Error("the keychain item was deleted")
	}
	_, err := r.get()
	wantKind(t, err, credential.SignInDead)
	if r.server.requests != 1 {
		t.Errorf("%d token requests: a dead sign-in was tried again", r.server.requests)
	}
	r.login(Login{})
	if got, err := r.get(); err != nil || got.Access.Reveal() != "access-2" {
		t.Errorf("after a new sign-in: %v", err)
	}
}

func TestFailureKeepsOthersFromTrying(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(2 * time.Hour)
	r.server.fail = &credential.Error{Kind: credential.Throttled, Text: "slow down", RetryAfter: time.Minute}
	wantKind(t, r.refresh(), credential.Throttled)
	_, err := r.get()
	wantKind(t, err, credential.Throttled)
	if len(r.launched) != 0 {
		t.Errorf("a refresh was started inside Retry-After: %v", r.launched)
	}
	r.now = r.now.Add(2 * time.Minute)
	if err := r.refresh(); err != nil {
		t.Errorf("after Retry-After: %v", err)
	}
}

func TestValidTokenIsServedWhileTheNetworkIsDown(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(55 * time.Minute) // inside the refresh window
	r.server.fail = errDown
	wantKind(t, r.refresh(), credential.Network)
	got, err := r.get()
	wantAccess(t, got, err, "access-1")
}

func TestDueTokenIsServedAndRefreshedOnce(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(55 * time.Minute)
	for range 3 {
		got, err := r.get()
		wantAccess(t, got, err, "access-1")
	}
	if len(r.launched) != 1 || r.launched[0][0] != RefreshCommand {
		t.Errorf("launched %v, want one refresh", r.launched)
	}
}

func TestKnownEndOfTheRefreshTokenOffersASignInWhileTheTokenIsServed(t *testing.T) {
	r := newRig(t)
	r.server.rtEnd = r.now.Add(50 * time.Minute)
	r.login(Login{})
	r.now = r.now.Add(55 * time.Minute)
	got, err := r.Get(t.Context(), Ask{Query: r.query(), Prompt: true, Wait: time.Second})
	wantAccess(t, got, err, "access-1")
	if len(r.launched) != 1 || !strings.Contains(strings.Join(r.launched[0], " "), "--prompt=once") {
		t.Fatalf("launched %v, want a refresh that may prompt", r.launched)
	}
	r.reach = true
	if err := r.Refresh(t.Context(), Renewal{Query: r.query(), Prompt: true}); err != nil {
		t.Fatal(err)
	}
	if r.signIns != 2 || r.server.requests != 0 {
		t.Errorf("%d sign-ins and %d refreshes, want a second sign-in and no refresh", r.signIns, r.server.requests)
	}
}

func TestRefusedTokenIsReplacedEvenWhenValid(t *testing.T) {
	r := newRig(t)
	out := r.login(Login{})
	if err := r.Refresh(t.Context(), Renewal{Query: r.query(), Refused: out.Token.Access.Fingerprint()}); err != nil {
		t.Fatal(err)
	}
	if r.server.requests != 1 {
		t.Error("the refused token was kept")
	}
	if err := r.Refresh(t.Context(), Renewal{Query: r.query(), Refused: out.Token.Access.Fingerprint()}); err != nil {
		t.Fatal(err)
	}
	if r.server.requests != 1 {
		t.Error("a late complaint about the old token cost a second refresh")
	}
}

func TestTheNextRefreshStartsWithoutDelay(t *testing.T) {
	r := newRig(t)
	r.wait = 50 * time.Millisecond
	r.login(Login{})
	for range 2 {
		if err := r.Erase(t.Context(), r.query(), credential.Secret{}); err != nil {
			t.Fatal(err)
		}
		_, err := r.get()
		wantKind(t, err, credential.StillRefreshing)
		if err := r.refresh(); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.launched) != 2 {
		t.Errorf("launched %v, want two refreshes within one second", r.launched)
	}
}

func TestDeletedKeychainItemNeedsASignIn(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(2 * time.Hour)
	clear(r.items)
	wantKind(t, r.refresh(), credential.NoSignIn)
	if got := r.resolved().signIn.LastError; got == nil || got.Kind != credential.NoSignIn.String() {
		t.Errorf("recorded: %+v", got)
	}
}

func TestBackoffGrowsAndHonoursTheServer(t *testing.T) {
	last := time.Duration(0)
	for n := 1; n <= 7; n++ {
		d := backoff(n, errDown)
		if d < last*9/10 || d > 66*time.Second {
			t.Errorf("backoff(%d) = %v after %v", n, d, last)
		}
		last = d
	}
	if d := backoff(5, &credential.Error{Kind: credential.Throttled, RetryAfter: 90 * time.Second}); d != 90*time.Second {
		t.Errorf("Retry-After of 90 s became %v", d)
	}
}

func TestRegistrationThatEndedNeedsASignIn(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.now = r.now.Add(2 * time.Hour)
	r.server.fail = &credential.Error{Kind: credential.Misconfigured, Text: "who are you", Code: "invalid_client"}
	wantKind(t, r.refresh(), credential.Misconfigured)
	_, err := r.get()
	wantKind(t, err, credential.SignInDead)
	if out := r.login(Login{}); !out.NewTab || r.resolved().signIn.ClientID != "registered-2" {
		t.Errorf("the next login used client %q", r.resolved().signIn.ClientID)
	}
}

func TestLoginCuresASettingThatTheServerRefuses(t *testing.T) {
	r := newRig(t)
	r.login(Login{ClientID: "mine"})
	r.now = r.now.Add(2 * time.Hour)
	r.server.fail = &credential.Error{Kind: credential.Misconfigured, Text: "no such client", Code: "invalid_client"}
	wantKind(t, r.refresh(), credential.Misconfigured)
	r.Launch = func(...string) error { _ = r.refresh(); return nil } // the refresh process, in this one
	r.now = r.now.Add(time.Minute)
	r.server.fail = &credential.Error{Kind: credential.Misconfigured, Text: "no such client", Code: "invalid_client"}
	if out := r.login(Login{ClientID: "mine"}); !out.NewTab {
		t.Error("the login did not sign in again")
	}
}

func TestTypedPassphraseRefreshesInThisProcess(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.attended = true
	r.now = r.now.Add(2 * time.Hour)
	got, err := r.get()
	wantAccess(t, got, err, "access-2")
	if len(r.launched) != 0 {
		t.Errorf("launched %v: it could not open the keychain", r.launched)
	}
}

// A token in its window whose sign-in cannot be refreshed is answered again and again; a process that could do no more
// than offer a sign-in is started where that is allowed, and once in its cooldown.
func TestNothingToRefreshFrom(t *testing.T) {
	for _, end := range []func(r *rig){
		func(r *rig) { r.server.noRT = true },
		func(r *rig) { r.server.rtEnd = r.now.Add(80 * time.Minute) },
	} {
		r := newRig(t)
		r.server.life = 100 * time.Minute
		end(r)
		r.login(Login{})
		r.now = r.now.Add(81 * time.Minute)
		warm := Warm{Cache: r.Cache, Records: r.Records, Now: r.Now, Trace: r.Trace}
		ask := Ask{Query: r.query(), Wait: time.Second}
		for _, prompt := range []bool{false, true, true} {
			ask.Prompt = prompt
			got, err := r.Get(t.Context(), ask)
			wantAccess(t, got, err, "access-1")
			r.now = r.now.Add(2 * time.Second)
		}
		wantKind(t, r.Ending(r.query()), credential.NoSignIn)
		if len(r.launched) != 1 || r.launched[0][0] != RefreshCommand {
			t.Errorf("launched %v", r.launched)
		}
		if hit, err := warm.Get(r.query()); err != nil || hit.Due {
			t.Errorf("the front starts another one: %+v %v", hit, err)
		}
		r.now = r.now.Add(credential.PromptRest)
		if hit, err := warm.Get(r.query()); err != nil || !hit.Due {
			t.Errorf("after the cooldown none is started: %+v %v", hit, err)
		}
	}
}

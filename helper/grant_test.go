package helper

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
)

// expire makes the cached token expire, so that the next refresh has something to do.
func (r *rig) expire() { r.now = r.now.Add(2 * time.Hour) }

// wantRefresh refreshes and holds the rotated token to what the server knows.
func (r *rig) wantRefresh() {
	r.t.Helper()
	if err := r.refresh(); err != nil {
		r.t.Fatal(err)
	}
	if got := r.refreshToken(); got != r.server.current {
		r.t.Fatalf("the sign-in has %s, the server %s", got, r.server.current)
	}
}

func (r *rig) refreshToken() string {
	r.t.Helper()
	g, err := r.grant(r.t.Context(), r.resolved().signIn)
	if err != nil {
		r.t.Fatal(err)
	}
	return g.RefreshToken.Reveal()
}

// dataKey is that of the one sign-in, for whoever holds the lock of the keychain.
func (r *rig) dataKey() credential.Secret {
	r.t.Helper()
	g, err := decodeGrant(r.items[r.resolved().signIn.ID])
	if err != nil {
		r.t.Fatal(err)
	}
	return g.DataKey
}

// parkedFiles are the files that a parked token may be in; those of slots that were never used are missing.
func (r *rig) parkedFiles() []string {
	r.t.Helper()
	all, err := filepath.Glob(r.Dir.File("*", r.resolved().signIn.ID, "0000000000000000000[01]"))
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func (r *rig) wantNothingParked() {
	r.t.Helper()
	if left := r.parkedFiles(); len(left) != 0 {
		r.t.Errorf("a parked token stays behind: %v", left)
	}
}

// block puts files where folders should be, so that nothing can be written there.
func (r *rig) block(folders ...string) {
	r.t.Helper()
	for _, folder := range folders {
		if err := os.RemoveAll(r.Dir.File(folder)); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(r.Dir.File(folder), nil, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

// A process that is killed before it has removed the parked file leaves one that is older than the keychain's item.
func TestParkedTokenNeverBeatsANewerOne(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.expire()
	r.setFails = errLocked
	r.wantRefresh()
	files := r.parkedFiles()
	if len(files) != 1 {
		t.Fatalf("parked in %v", files)
	}
	parked, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	replant := func() {
		if err := os.WriteFile(files[0], parked, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.setFails = nil
	r.expire()
	r.wantRefresh() // into the keychain
	replant()
	r.expire()
	r.wantRefresh()
	r.login(Login{Anew: true})
	replant()
	r.expire()
	r.wantRefresh()
}

// While the keychain takes nothing, each rotation is parked in place of the last one.
func TestKeychainThatRefusesForLong(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.setFails = errLocked
	for range 3 {
		r.expire()
		r.wantRefresh()
	}
	r.setFails = nil
	r.expire()
	r.wantRefresh()
	r.wantNothingParked()
}

// A timed out set of the keychain may still happen, long after the rotation that it was for.
func TestLateSetOfTheKeychain(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.setFails = errLocked
	r.expire()
	r.wantRefresh()
	late, err := r.grant(t.Context(), r.resolved().signIn)
	kc, kerr := r.Keychain(t.Context(), "")
	if err = errors.Join(err, kerr); err != nil {
		t.Fatal(err)
	}
	r.expire()
	r.wantRefresh()
	r.setFails = nil
	if err := save(t.Context(), kc, r.resolved().signIn.ID, "", late); err != nil {
		t.Fatal(err)
	}
	r.expire()
	r.wantRefresh()
}

// The rotated token is durable before the keychain is asked: a process that is killed there has lost nothing.
func TestKilledInTheKeychain(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.expire()
	r.setFails = errLocked
	r.stopsIn = func() { panic("killed") }
	func() {
		defer func() { _ = recover() }()
		_ = r.refresh()
	}()
	r.stopsIn, r.setFails = nil, nil
	if got := r.refreshToken(); got != r.server.current {
		t.Fatalf("the sign-in has %s, the server %s", got, r.server.current)
	}
	r.wantRefresh()
}

// A keychain that hangs costs its own time and loses nothing: not to who is killed meanwhile, nor to who waits for its end.
func TestKeychainThatHangs(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.setFails = credential.Fail(credential.KeychainBroken, "it did not answer in time", context.DeadlineExceeded)
	for range 3 {
		r.expire()
		hangs := make(chan string, 1)
		r.stopsIn = func() { // as long as the keychain takes
			found := cache.Parking{Store: r.Cache}.All(r.dataKey(), r.resolved().signIn.ID)
			for _, p := range found {
				text, _ := base64.RawURLEncoding.DecodeString(p.Token.Access.Reveal())
				if string(text) == r.server.current {
					hangs <- string(text)
					return
				}
			}
			hangs <- "nothing"
		}
		r.wantRefresh()
		if got := <-hangs; got != r.server.current {
			t.Errorf("while the keychain hangs %s is parked, not %s", got, r.server.current)
		}
	}
}

// The process with the only copy of a refresh token keeps trying while neither keychain nor home takes it.
func TestOnlyCopyIsNotGivenUp(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.expire()
	r.setFails = errLocked
	r.server.before = func() { r.block("tokens", "spare") }
	tries := 0
	r.Trace = func(text string) {
		if strings.Contains(text, "trying again") {
			if tries++; tries == 3 {
				if err := os.Remove(r.Dir.File("spare")); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	r.wantRefresh()
	if tries != 3 {
		t.Errorf("%d tries failed, want 3", tries)
	}
	if len(r.parkedFiles()) != 1 {
		t.Error("parked nowhere")
	}
	got, err := r.get()
	wantAccess(t, got, err, "access-2")
}

// A cache that cannot be written to keeps no token from the caller, and costs no second one.
func TestTokensFolderThatCannotBeWrittenTo(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.expire()
	r.block("tokens")
	r.wantRefresh()
	for range 2 {
		got, err := r.get()
		wantAccess(t, got, err, "access-2")
	}
	if r.server.requests != 1 {
		t.Errorf("%d token requests, want 1", r.server.requests)
	}
}

// Where nothing can be written, the refresh token is not spent.
func TestNothingIsSpentOnAHomeThatTakesNothing(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.expire()
	r.block("tokens", "spare")
	wantKind(t, r.refresh(), credential.BadHome)
	if r.server.requests != 0 {
		t.Errorf("%d token requests, want none", r.server.requests)
	}
}

// Where a person typed the passphrase, the token reaches the caller even if nothing more can be stored.
func TestTokenOfARefreshHereIsHandedOut(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	r.expire()
	r.attended = true
	r.server.before = func() {
		if err := os.RemoveAll(r.Dir.File("signins")); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.get()
	wantAccess(t, got, err, "access-2")
	if got.Server != testServer {
		t.Errorf("a token for %q", got.Server)
	}
}

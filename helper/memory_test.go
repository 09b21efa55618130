package helper

import (
	"errors"
	"os"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func (r *rig) remember(text string) error {
	return Memories{r.Helper}.Remember(r.t.Context(), r.query(), func([]byte) []byte { return []byte(text) })
}

func (r *rig) recall() string {
	r.t.Helper()
	kept, err := Memories{r.Helper}.Recall(r.t.Context(), r.query())
	if err != nil {
		r.t.Fatal(err)
	}
	return string(kept)
}

// What a server said is kept for as long as the sign-in, also where the key is not hot any more, and never without one.
func TestRemember(t *testing.T) {
	r := newRig(t)
	wantKind(t, r.remember("a"), credential.NotFound)
	r.login(Login{})
	if got := r.recall(); got != "" {
		t.Errorf("before: %q", got)
	}
	if err := r.remember("a"); err != nil {
		t.Fatal(err)
	}
	id := r.resolved().signIn.ID
	if err := r.Cache.Heat(id, newDataKey(), r.now.Add(1)); err != nil { // as if the machine had started anew
		t.Fatal(err)
	}
	r.Helper = rigAt(r.Dir).share(r)
	if got := r.recall(); got != "a" || r.gets == 0 {
		t.Errorf("with the key of the keychain: %q, after %d looks", got, r.gets)
	}
	err := Memories{r.Helper}.Remember(t.Context(), r.query(), func(old []byte) []byte { return append(old, 'b') })
	if got := r.recall(); err != nil || got != "ab" {
		t.Errorf("updated: %q %v", got, err)
	}
	if _, err := r.Logout(t.Context(), testServer, ""); err != nil {
		t.Fatal(err)
	}
	wantKind(t, r.remember("c"), credential.NotFound)
	if _, err := os.Stat(r.Dir.File("memory", id)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after logout: %v", err)
	}
}

// share is this rig's helper, with the keychain of another one.
func (r *rig) share(other *rig) *Helper {
	r.Helper.Keychain = other.Helper.Keychain
	return r.Helper
}

// A sign-in that serves several servers stays when one of them is signed out; what that one said does not.
func TestForgetOneServer(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	if err := r.remember("a"); err != nil {
		t.Fatal(err)
	}
	s := r.resolved()
	second := s.server
	second.URL = "https://mcp.example/second"
	if err := r.Records.PutServer(second); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Logout(t.Context(), testServer, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Records.SignIn(s.signIn.ID); err != nil {
		t.Errorf("the sign-in went: %v", err)
	}
	if entries, _ := os.ReadDir(r.Dir.File("memory", s.signIn.ID)); len(entries) != 0 {
		t.Errorf("%d files are left", len(entries))
	}
}

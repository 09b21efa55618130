package helper

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

// proven is a get of somebody who can prove the key of what it gets.
func (r *rig) proven(want, key string) {
	r.t.Helper()
	t, err := r.Get(r.t.Context(), Ask{Query: r.query(), Wait: r.wait, Proves: true})
	if wantAccess(r.t, t, err, want); t.Type != credential.TypeDPoP || t.Key.Reveal() != key {
		r.t.Fatalf("type %s, key %s", t.Type, t.Key.Reveal())
	}
}

// The key of a sign-in stays with it, through refreshes and while the keychain takes nothing, and its tokens go to nobody who
// cannot prove it.
func TestBoundSignIn(t *testing.T) {
	r := newRig(t)
	r.found.Bound = true
	r.login(Login{})
	r.proven("access-1", "key-1")
	hit, err := r.Warm().Get(r.query())
	if wantAccess(t, hit.Token, err, "access-1"); hit.Token.Key.Reveal() != "key-1" {
		t.Error("the cached token has no key")
	}
	for range 2 {
		_, err := r.get()
		wantKind(t, err, credential.KeyBound)
		r.expire()
		if r.server.requests != 0 {
			t.Errorf("%d token requests for nobody", r.server.requests)
		}
	}
	r.setFails = errLocked
	r.wantRefresh()
	r.proven("access-2", "key-1")
	r.setFails = nil
	r.expire()
	r.wantRefresh()
	r.proven("access-3", "key-1")
	r.login(Login{})
	if r.signIns != 1 {
		t.Errorf("%d sign-ins where one serves", r.signIns)
	}
	lines, err := r.Status(t.Context(), "")
	if err != nil || len(lines) != 1 || !lines[0].Bound {
		t.Errorf("%+v %v", lines, err)
	}
	given := Import{Query: r.query(), Access: credential.NewSecret("foreign"), Bearer: true}
	wantKind(t, r.Store(t.Context(), given), credential.KeyBound)
	r.login(Login{Anew: true})
	r.proven("access-4", "key-2")
	files := 0
	err = filepath.WalkDir(r.Dir.Path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("key-2")) || bytes.Contains(data, []byte("access-4")) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("%d files, %v", files, err)
	}
}

// A server that comes to want proofs needs another sign-in, where its authorization server gives such tokens.
func TestServerThatComesToWantProofs(t *testing.T) {
	r := newRig(t)
	r.found.Endpoints.Proofs = []string{"RS256", credential.ProofAlgorithm}
	r.login(Login{})
	r.found.Bound = true
	ask := Ask{Query: r.query(), Wait: r.wait, Proves: true, Bound: true}
	_, err := r.Get(t.Context(), ask)
	wantKind(t, err, credential.SignInDead)
	r.reach, ask.Prompt, ask.Terminal = true, true, true
	got, err := r.Get(t.Context(), ask)
	if wantAccess(t, got, err, "access-2"); got.Key.IsZero() || r.signIns != 2 {
		t.Errorf("key %v, %d sign-ins", !got.Key.IsZero(), r.signIns)
	}

	r = newRig(t)
	r.login(Login{})
	got, err = r.Get(t.Context(), Ask{Query: r.query(), Wait: r.wait, Proves: true, Bound: true})
	wantAccess(t, got, err, "access-1")
}

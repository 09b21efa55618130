package helper

import (
	"context"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

// lockedChain cannot delete.
type lockedChain struct{ memoryChain }

func (lockedChain) Delete(context.Context, string) error { return errLocked }

// A keychain that will not let go leaves the server listed, so that a second logout can finish the first.
func TestLogoutWithLockedKeychain(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	open := r.Keychain
	r.Keychain = func(context.Context, string) (Keychain, error) { return lockedChain{memoryChain{r}}, nil }
	out, err := r.Logout(t.Context(), testServer, "")
	wantKind(t, err, credential.KeychainLocked)
	if len(out) != 0 || len(r.items) == 0 {
		t.Fatalf("signed out of %v with %d items left", out, len(r.items))
	}
	r.Keychain = open
	out, err = r.Logout(t.Context(), testServer, "")
	if err != nil || len(out) != 1 || len(r.items) != 0 {
		t.Fatalf("second logout: %v, %v, %d items left", out, err, len(r.items))
	}
	_, err = r.get()
	wantKind(t, err, credential.NotFound)
}

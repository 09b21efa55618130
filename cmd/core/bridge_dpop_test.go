package core

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// Where both servers demand proofs of a key with a nonce for each, storms of calls outlive several access tokens with one
// sign-in; a second bridge has what it needs from the cache; and no other command hands a token out.
func bridgeProves(t *testing.T, bin string) {
	const life, storm = 2 * time.Second, 40
	w := world(t, fakeworld.Options{DPoP: true, AccessTTL: life, Rotate: true, RevokeOnReuse: true})
	home := homeDir(t)
	b := startBridge(t, bin, home, []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}, w.ServerURL())
	b.hello("{}")
	b.ready()
	calls := func(b *bridged) {
		t.Helper()
		for i := range storm {
			b.echo(i)
		}
		for range storm {
			if r := b.next(); r.Result == nil {
				t.Fatalf("%+v %+v", r, r.Error)
			}
		}
	}
	for began := time.Now(); time.Since(began) < 3*life; {
		calls(b)
	}
	another := startBridge(t, bin, home, nil, w.ServerURL())
	another.hello("{}")
	another.ready()
	calls(another)
	another.end()
	s := w.Stats()
	if s.Authorizations != 1 || s.Reuse != 0 || s.TokenOK["refresh_token"] < 2 {
		t.Errorf("%d sign-ins, %d reuses, %v", s.Authorizations, s.Reuse, s.TokenOK)
	}
	if m := s.MCP; m[fakeworld.MCPOK] < storm || m[fakeworld.MCPNoProof]+m[fakeworld.MCPProof]+m[fakeworld.MCPKey]+m[fakeworld.MCPMalformed] != 0 {
		t.Errorf("%v", m)
	}
	for _, output := range []string{"git", "headers", "token", "header", "json"} {
		cmd := program(t, bin, home, nil, "get", "--output", output, w.ServerURL())
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 5 || stdout.Len() > 0 || !strings.Contains(stderr.String(), `"mcp-credential bridge"`) {
			t.Errorf("%s: %v, %q, %q", output, err, stdout.String(), stderr.String())
		}
	}
	w.ExpireAccess()
	calls(b)
	b.end()
	if n := w.Stats().Authorizations; n != 1 {
		t.Errorf("%d sign-ins", n)
	}
}

//go:build integration && linux

package integration

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcphost"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// enduranceVariable says how long TestEndurance goes on, as a Go duration.
const enduranceVariable = "ENDURANCE"

// The load of TestEndurance.
const (
	bridges      = 4
	callEvery    = 100 * time.Millisecond
	enduranceTTL = 3 * time.Second // of an access token
)

// TestEndurance has four bridges call a tool ten times a second each, and a shell loop get tokens, on one sign-in whose
// tokens live three seconds, at an authorization server that revokes the grant when a refresh token is used twice. No
// call may fail, nobody is asked to sign in again, and each token is refreshed once.
func TestEndurance(t *testing.T) {
	t.Parallel()
	length := time.Minute
	if text := os.Getenv(enduranceVariable); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	p := startProvider(t, "--access-ttl", fmt.Sprint(enduranceTTL.Seconds()))
	server := guardedServer(t, p)
	u := newUser(t, `[servers."`+server+`"]`, `resource = "`+p.Server+`"`)
	u.must("login", server)
	before := p.stats()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	began := time.Now()
	var all sync.WaitGroup
	calls := make([]int, bridges)
	for i := range calls {
		h := u.bridge(server, nil)
		if _, err := h.Initialize(t.Context(), "2025-11-25", map[string]any{}); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { calls[i] = callOn(ctx, t, h) })
	}
	gets := u.getOn(ctx, server, &all)
	all.Wait()
	took := time.Since(began)
	s := p.stats()
	refreshes := s.Token["refresh_token"] - before.Token["refresh_token"]
	t.Logf("%v: calls %v, gets %d, refreshes %d; at the server %v", took.Round(time.Second), calls, *gets, refreshes, s.MCP)
	// A token is refreshed in the last part of its life: no sooner than after half of it, no later than at its end.
	if least, most := int(took/enduranceTTL)-2, int(took/(enduranceTTL/2))+1; refreshes < least || refreshes > most {
		t.Errorf("%d refreshes, not between %d and %d", refreshes, least, most)
	}
	if s.Reuse != 0 || s.GrantsRevoked != 0 || s.Authorizations != before.Authorizations || s.TokenOK["refresh_token"] != s.Token["refresh_token"] {
		t.Errorf("reuse %d, grants revoked %d, sign-ins %d, token requests %v, granted %v", s.Reuse, s.GrantsRevoked, s.Authorizations, s.Token, s.TokenOK)
	}
	for i, n := range calls {
		if least := int(length/callEvery) / 2; n < least {
			t.Errorf("bridge %d made %d calls, not even %d", i, n, least)
		}
	}
	if *gets < int(length/time.Second) {
		t.Errorf("only %d gets", *gets)
	}
}

// callOn calls until ctx ends, and returns how often.
func callOn(ctx context.Context, t *testing.T, h *mcphost.Host) (n int) {
	ticker := time.NewTicker(callEvery)
	defer ticker.Stop()
	for failed := 0; failed < 10; n++ {
		text := fmt.Sprint("call ", n)
		result, err := h.Call(t.Context(), "tools/call", map[string]any{"name": "echo", "arguments": map[string]any{"text": text}})
		if err != nil || !strings.Contains(string(result), text) {
			failed++
			t.Errorf("call %d: %v %.300s", n, err, result)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return n + 1
		}
	}
	return n
}

// getOn has a shell get tokens until ctx ends, ten times a second at most, and check each at the server. The count is
// there when all has ended.
func (u *user) getOn(ctx context.Context, server string, all *sync.WaitGroup) *int {
	u.t.Helper()
	count := new(int)
	u.write("go-on", "")
	u.script("gets", `n=0
while [ -e `+u.path("go-on")+` ]; do
	token=$(`+bin("mcp-credential")+` get `+server+`) || { echo "get $n ended with $?" >&2; exit 1; }
	[ -n "$token" ] || { echo "get $n was empty" >&2; exit 1; }
	n=$((n + 1))
	sleep 0.1
done
echo $n`)
	c := exec.Command(u.path("gets")) // without the time limit of other programs: it ends by its file
	c.Env, c.Dir = u.environ(), u.home
	all.Go(func() {
		out, err := c.Output()
		if _, scanned := fmt.Sscan(string(out), count); err != nil || scanned != nil {
			u.t.Errorf("the shell loop: %v, %v", err, scanned)
		}
	})
	all.Go(func() {
		<-ctx.Done()
		_ = os.Remove(u.path("go-on"))
	})
	return count
}

// guardedServer is the Go SDK's server behind the tokens of a real authorization server, whose own protected server
// judges them.
func guardedServer(t *testing.T, p *provider) string {
	t.Helper()
	const path, wellKnown = "/mcp", "/.well-known/oauth-protected-resource/mcp"
	mcp := mcpserver.Handler()
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	mux.HandleFunc(wellKnown, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"resource":%q,"authorization_servers":[%q],"scopes_supported":["mcp:read"]}`, p.Server, p.Issuer)
	})
	mux.HandleFunc(path, func(rw http.ResponseWriter, r *http.Request) {
		if !p.admits(r) {
			rw.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+s.URL+wellKnown+`"`)
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		mcp.ServeHTTP(rw, r)
	})
	return s.URL + path
}

// admits asks the authorization server's own protected server about the token of a request.
func (p *provider) admits(r *http.Request) bool {
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, p.Server+"/ping", nil)
	if err != nil {
		return false
	}
	ask.Header["Authorization"] = r.Header["Authorization"]
	resp, err := http.DefaultClient.Do(ask)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

package oauth

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
)

// bound is a world that demands proofs, and a person who has signed in there.
type bound struct {
	*Source
	t      *testing.T
	w      *fakeworld.World
	finder discovery.Finder
	target credential.Target
	answer credential.Answer
}

func newBound(t *testing.T, way source.Way) *bound {
	t.Helper()
	w, err := fakeworld.Start(fakeworld.Options{DPoP: true, Rotate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	w.Set(func(b *fakeworld.Behaviour) { b.Device = "approve" })
	client, err := webclient.New(webclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	b := &bound{t: t, w: w, finder: discovery.Finder{Client: client}}
	b.Source = New(source.Config{Client: client, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	found, err := b.finder.Find(t.Context(), w.ServerURL())
	if err != nil || !found.Bound {
		t.Fatalf("%+v, %v", found, err)
	}
	b.target = credential.Target{Server: found.URL, Resource: found.Resource, Scopes: found.Scopes, Endpoints: found.Endpoints, Bound: true}
	p := newPerson(t)
	p.way = way
	if b.answer, err = b.Interactive(t.Context(), b.target, p); err != nil {
		t.Fatal(err)
	}
	b.target.ClientID = b.answer.ClientID
	return b
}

func (b *bound) silent(g credential.Grant) (credential.Answer, error) {
	return b.Silent(b.t.Context(), b.target, g, b.answer.AuthMethod, func(credential.Grant) error { return nil })
}

// status is what the server answers to a token.
func (b *bound) status(t credential.Token) int {
	b.t.Helper()
	r, err := b.finder.Try(b.t.Context(), b.w.ServerURL(), t)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.Status
}

// A sign-in, its requests and its refreshes prove one key, with the nonces of both servers.
func TestBoundSignIn(t *testing.T) {
	for _, way := range []source.Way{source.Browser, source.Device} {
		b := newBound(t, way)
		a := b.answer
		if a.Token.Type != credential.TypeDPoP || a.Grant.Key.IsZero() || !a.Token.Key.Equal(a.Grant.Key) || b.status(a.Token) != http.StatusOK {
			t.Fatalf("%+v", a)
		}
		first := a.Grant
		for range 2 {
			next, err := b.silent(a.Grant)
			if err != nil {
				t.Fatal(err)
			}
			if next.Token.Access.Equal(a.Token.Access) || !next.Grant.Key.Equal(first.Key) || !next.Token.Key.Equal(first.Key) || b.status(next.Token) != http.StatusOK {
				t.Errorf("%+v", next)
			}
			a = next
		}
		stats := b.w.Stats()
		if way == source.Browser && (stats.AuthorizeRequests[0].Get("dpop_jkt") == "" || stats.TokenRequests[0].Error != dpop.ErrNonce || stats.TokenOK["refresh_token"] != 2) {
			t.Errorf("%+v", stats)
		}
		if n := len(stats.TokenRequests); n != 4 { // the nonce of each answer serves the next request
			t.Errorf("%d token requests", n)
		}
	}
}

// What a thief finds of the tokens is worth nothing without the key.
func TestStolenTokens(t *testing.T) {
	b := newBound(t, source.Browser)
	other, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	stolen := b.answer.Token
	stolen.Type, stolen.Key = "Bearer", credential.Secret{}
	if got := b.status(stolen); got != http.StatusUnauthorized {
		t.Errorf("the access token alone gets %d", got)
	}
	stolen.Type, stolen.Key = credential.TypeDPoP, other
	if got := b.status(stolen); got != http.StatusUnauthorized {
		t.Errorf("the access token with another key gets %d", got)
	}
	for name, grant := range map[string]credential.Grant{
		"alone":            {RefreshToken: b.answer.Grant.RefreshToken},
		"with another key": {RefreshToken: b.answer.Grant.RefreshToken, Key: other},
	} {
		if a, err := b.silent(grant); credential.KindOf(err) != credential.SignInDead || !a.Token.Access.IsZero() {
			t.Errorf("the refresh token %s: %+v, %v", name, a, err)
		}
	}
	outcomes := b.w.Stats().MCP
	if outcomes[fakeworld.MCPNoProof] != 1 || outcomes[fakeworld.MCPKey] != 1 || outcomes[fakeworld.MCPOK] != 0 {
		t.Errorf("%v", outcomes)
	}
	if a, err := b.silent(b.answer.Grant); err != nil || b.status(a.Token) != http.StatusOK {
		t.Errorf("the owner: %v", err)
	}
}

// A request that somebody has listened to, proof included, cannot be sent again, nor its proof be used for another one.
func TestStolenProof(t *testing.T) {
	b := newBound(t, source.Browser)
	ask := func(h http.Header, method, url string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, url, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = h
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp
	}
	nonce := ask(http.Header{}, "POST", b.w.ServerURL()).Header.Get("DPoP-Nonce")
	mine, err := http.NewRequest("POST", b.w.ServerURL(), nil)
	if err == nil {
		err = dpop.Authorize(mine, b.answer.Token, nonce, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		method, url string
		status      int
	}{
		{"GET", b.w.ServerURL(), 401}, {"POST", b.w.ServerURL() + "/ping", 401}, {"POST", b.w.ServerURL(), 200}, {"POST", b.w.ServerURL(), 401},
	} {
		if got := ask(mine.Header.Clone(), c.method, c.url); got.StatusCode != c.status {
			t.Errorf("%d: %s %s gets %d", i, c.method, c.url, got.StatusCode)
		}
	}
}

// A server that answers with a token that is not bound, where one was asked for, has its answer refused.
func TestUnboundAnswer(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	target := s.target()
	target.Bound = true
	_, err := a.Interactive(t.Context(), target, newPerson(t))
	check(t, err, credential.BadAnswer)
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var kept credential.Grant
	_, err = a.Silent(t.Context(), target, credential.Grant{RefreshToken: credential.NewSecret("rt-1"), Key: key}, "none",
		func(g credential.Grant) error { kept = g; return nil })
	if check(t, err, credential.BadAnswer); kept.RefreshToken.Reveal() != "rt-2" || !kept.Key.Equal(key) {
		t.Errorf("kept %+v", kept)
	}
}

// A nonce that is never the right one ends in an error after one more request.
func TestNonceIsTriedOnce(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	var proofs []string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proofs = append(proofs, r.Header.Get("DPoP"))
		w.Header().Set("DPoP-Nonce", "another")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"use_dpop_nonce"}`)
	}))
	defer h.Close()
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	target := s.target()
	target.Endpoints.Token = h.URL
	_, err = a.Silent(t.Context(), target, credential.Grant{RefreshToken: credential.NewSecret("rt-1"), Key: key}, "none",
		func(credential.Grant) error { return nil })
	if check(t, err, credential.Refused); len(slices.Compact(slices.Clone(proofs))) != 2 {
		t.Errorf("%d requests", len(proofs))
	}
}

//go:build integration

package oauth

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
)

// provider is oidc-provider as scripts/oidc-provider starts it: rotation, reuse revokes the whole grant, resource
// demanded everywhere.
type provider struct {
	Server, Issuer, Control string
}

func startProvider(t *testing.T, args ...string) provider {
	t.Helper()
	cmd := exec.Command("../../scripts/oidc-provider/start.sh", args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	var p provider
	if err != nil || json.Unmarshal(line, &p) != nil || p.Issuer == "" {
		t.Fatalf("oidc-provider did not start: %q, %v", line, err)
	}
	return p
}

// target reads the metadata; Endpoints is written with the names that the document uses.
func (p provider) target(t *testing.T) credential.Target {
	t.Helper()
	resp, err := http.Get(p.Issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	target := credential.Target{Server: p.Server, Resource: p.Server, Scopes: []string{"mcp:read"}}
	if err := json.NewDecoder(resp.Body).Decode(&target.Endpoints); err != nil || target.Endpoints.Issuer != p.Issuer {
		t.Fatalf("metadata %+v, %v", target.Endpoints, err)
	}
	return target
}

// accepted asks the protected server.
func (p provider) accepted(t *testing.T, token credential.Token) bool {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.Server, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := dpop.Authorize(req, token, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode != http.StatusUnauthorized
}

// somebody follows redirects with cookies, which is a whole sign-in there.
type somebody struct {
	t          *testing.T
	provider   provider
	way        source.Way
	registered []string
}

func (s *somebody) Way() source.Way { return s.way }

func (s *somebody) OpenURL(_ context.Context, u string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	go func() {
		resp, err := (&http.Client{Jar: jar}).Get(u)
		if err != nil {
			s.t.Error(err)
			return
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			s.t.Errorf("the browser ended on status %d of %s", resp.StatusCode, resp.Request.URL.Path)
		}
	}()
	return nil
}

func (s *somebody) ShowCode(context.Context, string, string, string) error {
	resp, err := http.Post(s.provider.Control+"/_control", "application/json", strings.NewReader(`{"approve_devices":true}`))
	if err == nil {
		resp.Body.Close()
	}
	return err
}

func (s *somebody) PastedRedirect(context.Context, error) (string, error) {
	return "", errors.New("nobody pastes here")
}

func (s *somebody) Tell(text string) { s.t.Log(text) }

func (s *somebody) Registered(id string, _ credential.Secret) error {
	s.registered = append(s.registered, id)
	return nil
}

// quick is a Source that polls without the server's patience.
func quick(t *testing.T) *Source {
	t.Helper()
	client, err := webclient.New(webclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return New(source.Config{Client: client, Trace: func(s string) { t.Log(s) }, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
}

func TestProviderBrowser(t *testing.T) {
	p, s := startProvider(t), quick(t)
	target, who := p.target(t), &somebody{t: t, provider: p}
	first, err := s.Interactive(t.Context(), target, who)
	if err != nil {
		t.Fatal(err)
	}
	if !p.accepted(t, first.Token) || len(who.registered) != 1 || !slices.Contains(first.Token.Scopes, "mcp:read") {
		t.Errorf("%+v, registered %v", first, who.registered)
	}
	target.ClientID = first.ClientID // of an earlier sign-in, with another port (RFC 8252 section 7.3)
	second, err := s.Interactive(t.Context(), target, who)
	if err != nil || len(who.registered) != 1 || !p.accepted(t, second.Token) {
		t.Fatalf("a reused registration: %v, registered %v", err, who.registered)
	}
	refreshAndReuse(t, p, s, target, second)
	if err := s.Revoke(t.Context(), target, first.Grant, first.AuthMethod); err != nil {
		t.Errorf("revocation: %v", err)
	}
	_, err = s.Silent(t.Context(), target, first.Grant, first.AuthMethod, func(credential.Grant) error { return nil })
	check(t, err, credential.SignInDead)
}

// refreshAndReuse spends a refresh token twice: the second time is a theft in the server's eyes.
func refreshAndReuse(t *testing.T, p provider, s *Source, target credential.Target, a credential.Answer) {
	t.Helper()
	var kept credential.Grant
	keep := func(g credential.Grant) error { kept = g; return nil }
	b, err := s.Silent(t.Context(), target, a.Grant, a.AuthMethod, keep)
	if err != nil || kept.RefreshToken.Equal(a.Grant.RefreshToken) || !p.accepted(t, b.Token) {
		t.Fatalf("refresh: %v, rotated %v", err, !kept.RefreshToken.Equal(a.Grant.RefreshToken))
	}
	_, err = s.Silent(t.Context(), target, a.Grant, a.AuthMethod, keep)
	check(t, err, credential.SignInDead)
	_, err = s.Silent(t.Context(), target, b.Grant, a.AuthMethod, keep)
	check(t, err, credential.SignInDead)
}

func TestProviderDevice(t *testing.T) {
	p, s := startProvider(t), quick(t)
	a, err := s.Interactive(t.Context(), p.target(t), &somebody{t: t, provider: p, way: source.Device})
	if err != nil || !p.accepted(t, a.Token) || a.Grant.RefreshToken.IsZero() {
		t.Errorf("%+v, %v", a, err)
	}
}

// A server of others takes our proofs, and the tokens of a thief nowhere.
func TestProviderProofs(t *testing.T) {
	p, s := startProvider(t, "--dpop"), quick(t)
	target := p.target(t)
	if target.Bound = slices.Contains(target.Endpoints.Proofs, credential.ProofAlgorithm); !target.Bound {
		t.Fatalf("it announces %v", target.Endpoints.Proofs)
	}
	for _, way := range []source.Way{source.Browser, source.Device} {
		target.ClientID = ""
		a, err := s.Interactive(t.Context(), target, &somebody{t: t, provider: p, way: way})
		if err != nil {
			t.Fatal(err)
		}
		alone := a.Token
		alone.Key = credential.Secret{}
		other, err := dpop.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		stolen := a.Token
		stolen.Key = other
		if !p.accepted(t, a.Token) || p.accepted(t, alone) || p.accepted(t, stolen) {
			t.Error("the access token serves the wrong ones")
		}
		target.ClientID = a.ClientID
		for _, key := range []credential.Secret{{}, other} {
			_, err := s.Silent(t.Context(), target, credential.Grant{RefreshToken: a.Grant.RefreshToken, Key: key}, a.AuthMethod, func(credential.Grant) error { return nil })
			check(t, err, credential.SignInDead)
		}
		b, err := s.Silent(t.Context(), target, a.Grant, a.AuthMethod, func(credential.Grant) error { return nil })
		if err != nil || !p.accepted(t, b.Token) {
			t.Errorf("the refresh: %v", err)
		}
	}
}

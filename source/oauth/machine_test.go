package oauth

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func newMachine(t *testing.T, a *asker, secret string) Machine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Machine{Source: a.Source, Issuer: "https://id.example", ClientID: "agent", SecretFile: path}
}

func TestClientCredentials(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	s.answer(200, `{"access_token":"at-1","token_type":"Bearer","expires_in":3600}`)
	m := newMachine(t, a, "s3cr3t of the agent")
	target := s.target()
	target.Scopes = []string{"mcp:tools", "mcp:read"}
	token, err := m.Token(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if token.Access.Reveal() != "at-1" || token.Expiry.IsZero() {
		t.Errorf("token %+v", token)
	}
	want := url.Values{"grant_type": {"client_credentials"}, "scope": {"mcp:tools mcp:read"}, "resource": {target.Resource}}
	if s.count() != 1 || s.requests[0].Encode() != want.Encode() || s.basics[0] != "agent:s3cr3t+of+the+agent" {
		t.Errorf("requests %v %v", s.requests, s.basics)
	}
}

func TestClientCredentialsRefused(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	m := newMachine(t, a, "s3cr3t")
	for body, kind := range map[string]credential.Kind{
		`{"error":"invalid_client"}`: credential.Misconfigured, `{"error":"interaction_required"}`: credential.Refused,
		`{"error":"invalid_grant","error_description":"not s3cr3t"}`: credential.Refused,
	} {
		s.answer(http.StatusBadRequest, body)
		_, err := m.Token(t.Context(), s.target())
		if credential.KindOf(err) != kind || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", body, err)
		}
	}
	s.token = func(w http.ResponseWriter, _ url.Values, _ int) { _, _ = io.WriteString(w, `{"token_type":"Bearer"}`) }
	if _, err := m.Token(t.Context(), s.target()); credential.KindOf(err) != credential.BadAnswer {
		t.Errorf("no token: %v", err)
	}
}

func TestMachineSettings(t *testing.T) {
	a := newAsker(t)
	for missing, m := range map[string]Machine{
		"issuer":                                {ClientID: "c", SecretFile: "f"},
		"client_id":                             {Issuer: "i", SecretFile: "f"},
		"client_secret_file or client_key_file": {Issuer: "i", ClientID: "c"},
	} {
		err := m.Check()
		if credential.KindOf(err) != credential.Misconfigured || !strings.HasSuffix(err.Error(), "lacks "+missing) {
			t.Errorf("%s: %v", missing, err)
		}
	}
	m := newMachine(t, a, strings.Repeat("s", 32))
	if err := m.Check(); err != nil {
		t.Error(err)
	}
	if key, err := m.Key([]byte("salt")); err != nil || key.IsZero() {
		t.Errorf("a long secret: %v", err)
	}
	m = newMachine(t, a, strings.Repeat("s", 31))
	if key, err := m.Key([]byte("salt")); err != nil || !key.IsZero() {
		t.Errorf("a short secret: %v", err)
	}
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "nowhere"), newMachine(t, a, "").SecretFile} {
		m.SecretFile = path
		if _, err := m.Token(t.Context(), credential.Target{}); credential.KindOf(err) != credential.Misconfigured || !strings.Contains(err.Error(), "client secret file") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

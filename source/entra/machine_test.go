package entra

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	fake "github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
)

// machineRig is a rig with the environment of a process.
type machineRig struct {
	*rig
	env    map[string]string
	id     Identity
	server int // which one takes the token
}

func newMachineRig(t *testing.T, env ...string) *machineRig {
	t.Helper()
	r := &machineRig{server: 1, rig: newRig(t, fake.Options{}), env: map[string]string{"AZURE_TENANT_ID": fake.Tenant, "AZURE_CLIENT_ID": fake.Service}}
	r.id = Identity{Server: r.world.ServerURL(1), Scopes: []string{fake.AppURI(1)}}
	r.Direct = r.Client
	r.set(env...)
	return r
}

func (r *machineRig) set(env ...string) {
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		r.env[name] = value
	}
}

func (r *machineRig) getenv(name string) string { return r.env[name] }

func (r *machineRig) machine() (*Machine, error) { return r.Identify(r.id, r.getenv) }

func (r *machineRig) get() (credential.Token, error) {
	r.t.Helper()
	m, err := r.machine()
	if err != nil {
		return credential.Token{}, err
	}
	if m == nil {
		r.t.Fatal("no identity")
	}
	return m.Token(r.t.Context(), credential.Target{Server: r.id.Server, Endpoints: credential.Endpoints{Issuer: m.Issuer}})
}

// works gets a token, which the MCP server must accept, with one request to the sign-in host.
func (r *machineRig) works(kind string) credential.Token {
	r.t.Helper()
	r.world.ResetStats()
	token, err := r.get()
	if err != nil {
		r.t.Fatalf("%s: %v", kind, err)
	}
	if m, _ := r.machine(); m.Kind != kind {
		r.t.Errorf("a token by %s, not by %s", m.Kind, kind)
	}
	stats := r.world.Stats()
	if kind != Managed && (r.requests() != 1 || stats.TokenOK["client_credentials"] != 1) {
		r.t.Errorf("%s: %v", kind, stats.HTTP)
	}
	if status := r.ping(r.server, token.Access); status != http.StatusOK {
		r.t.Errorf("%s: the server answers %d", kind, status)
	}
	if left := time.Until(token.Expiry); left < 59*time.Minute || left > time.Hour || !token.RefreshAt.Before(token.Expiry) || token.Type != "Bearer" {
		r.t.Errorf("%s: %+v", kind, token)
	}
	return token
}

// refused wants an error of a kind that says something and gives nothing away.
func (r *machineRig) refused(kind credential.Kind, says string) {
	r.t.Helper()
	_, err := r.get()
	if err == nil || credential.KindOf(err) != kind || !strings.Contains(err.Error(), says) {
		r.t.Errorf("%v (%v), want %v that says %q", err, credential.KindOf(err), kind, says)
		return
	}
	for _, secret := range append(r.world.Secrets(), r.env["AZURE_CLIENT_SECRET"], r.env["AZURE_CLIENT_CERTIFICATE_PASSWORD"]) {
		if len(secret) > 5 && strings.Contains(err.Error(), secret) {
			r.t.Errorf("%v gives a secret away", err)
		}
	}
}

func (r *machineRig) file(name, content string) string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

func TestClientSecret(t *testing.T) {
	r := newMachineRig(t)
	r.set("AZURE_CLIENT_SECRET=" + r.world.ServiceSecret())
	r.works(Secret)
	r.id.Scopes = []string{fake.AppURI(1) + "/.default"}
	r.works(Secret)

	r.set("AZURE_CLIENT_SECRET=wrong")
	r.refused(credential.Misconfigured, "AADSTS7000215")
	r.id.SecretFile = r.file("secret", r.world.ServiceSecret()+"\n")
	r.works(Secret) // the file goes before the variable
	r.world.ExpireSecret()
	r.refused(credential.Misconfigured, "the client secret has expired")
	r.id.SecretFile = r.file("empty", "\n")
	r.refused(credential.Misconfigured, "it is empty")
	r.id.SecretFile = filepath.Join(t.TempDir(), "nowhere")
	r.refused(credential.Misconfigured, "client secret file")
}

func TestSecretKey(t *testing.T) {
	r := newMachineRig(t, "AZURE_CLIENT_SECRET="+strings.Repeat("s", 32))
	m, err := r.machine()
	if err != nil {
		t.Fatal(err)
	}
	key, err := m.Key([]byte("salt"))
	if err != nil || len(key.Reveal()) != 32 {
		t.Errorf("key %v, %v", key.IsZero(), err)
	}
	r.set("AZURE_CLIENT_SECRET=" + strings.Repeat("s", 31))
	if key, err := m.Key([]byte("salt")); err != nil || !key.IsZero() {
		t.Errorf("a short secret: %v", err)
	}
}

func TestMachineClaims(t *testing.T) {
	r := newMachineRig(t)
	r.set("AZURE_CLIENT_SECRET=" + r.world.ServiceSecret())
	m, _ := r.machine()
	if _, err := m.Token(t.Context(), credential.Target{Claims: `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`}); err != nil {
		t.Fatal(err)
	}
	requests := r.world.Stats().TokenRequests
	claims := requests[len(requests)-1].Params.Get("claims")
	if !strings.Contains(claims, `"nbf"`) || !strings.Contains(claims, `"cp1"`) {
		t.Errorf("claims %s", claims)
	}
}

func TestMachineRefusals(t *testing.T) {
	r := newMachineRig(t)
	r.set("AZURE_CLIENT_SECRET=" + r.world.ServiceSecret())
	for code, want := range map[int]struct {
		kind credential.Kind
		says string
	}{
		700016: {credential.Misconfigured, "AZURE_CLIENT_ID"}, 7000222: {credential.Misconfigured, "AZURE_CLIENT_SECRET"},
		53003: {credential.Refused, "workload identities"}, 50076: {credential.Refused, "does not give this identity"},
		65001: {credential.Misconfigured, "application permissions"}, 90002: {credential.Misconfigured, "AZURE_TENANT_ID"},
		500011: {credential.Misconfigured, "the app of the scope"}, 123456: {credential.Refused, "AADSTS123456"},
		429: {credential.Throttled, "wait"}, 503: {credential.Network, "503"},
	} {
		r.world.Set(func(k *fake.Behaviour) { k.Refuse = []fake.Refuse{{Code: code}} })
		r.refused(want.kind, want.says)
		_, err := r.get()
		if code > 1000 && !strings.Contains(err.Error(), "correlation id ") {
			t.Errorf("%d: %v", code, err)
		}
	}
	r.world.Set(func(k *fake.Behaviour) {
		k.Refuse, k.AccessBody = nil, map[string]any{"cnf": map[string]any{"kid": "x"}}
	})
	r.refused(credential.Misconfigured, "bound to a key")
}

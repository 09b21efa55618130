package entra

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	fake "github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
)

func voucher(t *testing.T, issuer, subject string) *fake.WorkloadIssuer {
	t.Helper()
	v, err := fake.NewWorkloadIssuer(issuer, subject)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestFederatedTokenFile(t *testing.T) {
	r := newMachineRig(t)
	v := voucher(t, "https://oidc.cluster.example", "system:serviceaccount:agents:mcp")
	path := r.file("token", v.Token(fake.ExchangeAudience)+"\n")
	r.set("AZURE_FEDERATED_TOKEN_FILE=" + path)
	r.refused(credential.Misconfigured, "AADSTS700211")
	r.world.TrustFederated(v.Federated())
	r.works(Workload)
	for says, content := range map[string]string{
		"AADSTS700213": mustSign(t, v, "system:serviceaccount:agents:another", fake.ExchangeAudience),
		"AADSTS700212": mustSign(t, v, v.Subject, "api://another"),
		"it is empty":  "", "AADSTS50027": "no.jwt",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil { // it is read anew each time
			t.Fatal(err)
		}
		r.refused(credential.Misconfigured, says)
	}
	v.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	if err := os.WriteFile(path, []byte(v.Token(fake.ExchangeAudience)), 0o600); err != nil {
		t.Fatal(err)
	}
	r.refused(credential.Misconfigured, "check the clock")
	m, _ := r.machine()
	if k, err := m.Key([]byte("salt")); err != nil || !k.IsZero() {
		t.Errorf("a data key of a token that changes: %v", err)
	}
}

func mustSign(t *testing.T, v *fake.WorkloadIssuer, subject, audience string) string {
	t.Helper()
	was := v.Subject
	defer func() { v.Subject = was }()
	v.Subject = subject
	return v.Token(audience)
}

func TestGitHub(t *testing.T) {
	r := newMachineRig(t)
	v := voucher(t, "https://token.actions.githubusercontent.com", "repo:contoso/agent:ref:refs/heads/main")
	r.world.TrustFederated(v.Federated())
	r.set("ACTIONS_ID_TOKEN_REQUEST_URL="+serve(t, v.GitHub())+"/idtoken?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN="+v.Bearer)
	r.works(GitHub)
	if n := v.Requests(); n != 1 {
		t.Errorf("%d requests to the OIDC service", n)
	}
	r.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN=another")
	r.refused(credential.Misconfigured, "OIDC service of GitHub Actions refuses with status 401")
	r.set("ACTIONS_ID_TOKEN_REQUEST_URL=http://elsewhere.example/")
	r.refused(credential.Misconfigured, "not one that a token may be sent to")
}

func TestPipelines(t *testing.T) {
	r := newMachineRig(t)
	delete(r.env, "AZURE_TENANT_ID")
	delete(r.env, "AZURE_CLIENT_ID")
	v := voucher(t, "https://vstoken.dev.azure.com/0000", "sc://contoso/agents/connection")
	r.world.TrustFederated(v.Federated())
	r.set("AZURESUBSCRIPTION_TENANT_ID="+fake.Tenant, "AZURESUBSCRIPTION_CLIENT_ID="+fake.Service, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=connection",
		"SYSTEM_OIDCREQUESTURI="+serve(t, v.Pipelines("connection"))+"/oidctoken", "SYSTEM_ACCESSTOKEN="+v.Bearer)
	r.works(Pipelines)
	r.set("SYSTEM_ACCESSTOKEN=another")
	r.refused(credential.Misconfigured, "OIDC service of Azure Pipelines refuses with status 401")
	r.set("SYSTEM_ACCESSTOKEN="+v.Bearer, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=another")
	r.refused(credential.Misconfigured, "status 404")
}

func TestOIDCServiceFails(t *testing.T) {
	r := newMachineRig(t, "ACTIONS_ID_TOKEN_REQUEST_TOKEN=x")
	for says, c := range map[string]struct {
		kind    credential.Kind
		handler http.HandlerFunc
	}{
		"asks to wait": {credential.Throttled, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "7")
			rw.WriteHeader(429)
		}},
		"fails with status 500":    {credential.Network, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) }},
		"answered without a token": {credential.Refused, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(`{"value":7}`)) }},
		"larger than":              {credential.BadAnswer, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, 64<<10+1)) }},
	} {
		r.set("ACTIONS_ID_TOKEN_REQUEST_URL=" + serve(t, c.handler))
		r.refused(c.kind, says)
	}
	if n := r.requests(); n != 0 {
		t.Errorf("%d requests to the sign-in host", n)
	}
}

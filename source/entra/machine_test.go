package entra

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

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
	r.Near = r.Client
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

func TestClientCertificate(t *testing.T) {
	r := newMachineRig(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert := selfSigned(t, key, time.Now().Add(time.Hour))
	text := pemOf(t, cert, key)
	r.set("AZURE_CLIENT_CERTIFICATE_PATH=" + r.file("client.pem", text))
	r.refused(credential.Misconfigured, "the client certificate is not one of the registration's")
	r.world.TrustCertificate(cert.Raw)
	r.works(Certificate)
	r.works(Certificate) // another assertion, or its jti would be refused

	m, _ := r.machine()
	if k, err := m.Key([]byte("salt")); err != nil || k.IsZero() {
		t.Errorf("no data key: %v", err)
	}

	renewed := selfSigned(t, key, time.Now().Add(2*time.Hour)) // subject name and issuer: not uploaded, only named
	r.set("AZURE_CLIENT_CERTIFICATE_PATH=" + r.file("renewed.pem", pemOf(t, renewed, key)))
	r.refused(credential.Misconfigured, "AADSTS700027")
	r.world.TrustName(renewed.Subject.CommonName)
	r.works(Certificate)

	for name, encoder := range map[string]*pkcs12.Encoder{"modern": pkcs12.Modern, "legacy": pkcs12.LegacyDES} {
		pfx, err := encoder.Encode(key, cert, nil, "open sesame")
		if err != nil {
			t.Fatal(err)
		}
		r.set("AZURE_CLIENT_CERTIFICATE_PATH="+r.file(name+".pfx", string(pfx)), "AZURE_CLIENT_CERTIFICATE_PASSWORD=open sesame")
		r.works(Certificate)
		r.set("AZURE_CLIENT_CERTIFICATE_PASSWORD=wrong password")
		r.refused(credential.Misconfigured, "its password is wrong")
		r.id.CertificatePassFile = r.file("password", "open sesame\n")
		r.works(Certificate)
		r.id.CertificatePassFile = ""
	}
}

func TestBadCertificates(t *testing.T) {
	r := newMachineRig(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := selfSigned(t, key, time.Now().Add(time.Hour))
	for says, text := range map[string]string{
		"the certificate expired on":       pemOf(t, selfSigned(t, key, time.Now().Add(-time.Hour)), key),
		"the certificate is not valid":     pemOf(t, selfSigned(t, key, time.Now().Add(72*time.Hour)), key),
		"none of its certificates belongs": pemOf(t, cert, other),
		"no private key":                   pemOf(t, cert, nil),
		"supported in PFX only":            pemOf(t, cert, nil) + "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"key must be an RSA key":           pemOf(t, selfSigned(t, other, time.Now().Add(time.Hour)), other),
		"cannot be used":                   "neither PEM nor PFX",
		"it is empty":                      "\n",
	} {
		r.set("AZURE_CLIENT_CERTIFICATE_PATH=" + r.file("client.pem", text))
		r.refused(credential.Misconfigured, says)
	}
	r.set("AZURE_CLIENT_CERTIFICATE_PATH=" + t.TempDir())
	r.refused(credential.Misconfigured, "it is not a file")
	if n := r.requests(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func selfSigned(t *testing.T, key crypto.Signer, end time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(end.UnixNano()), Subject: pkix.Name{CommonName: "agent.contoso.com"},
		NotBefore: end.Add(-48 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func pemOf(t *testing.T, cert *x509.Certificate, key any) string {
	t.Helper()
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	return string(out)
}

func voucher(t *testing.T, issuer, subject string) *fake.Voucher {
	t.Helper()
	v, err := fake.NewVoucher(issuer, subject)
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

func mustSign(t *testing.T, v *fake.Voucher, subject, audience string) string {
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
		"larger than":              {credential.Hostile, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, maxAssertion+1)) }},
	} {
		r.set("ACTIONS_ID_TOKEN_REQUEST_URL=" + serve(t, c.handler))
		r.refused(c.kind, says)
	}
	if n := r.requests(); n != 0 {
		t.Errorf("%d requests to the sign-in host", n)
	}
}

// nearby sends what is meant for the metadata service to a fake of it, which no test can listen as.
type nearby struct{ to *url.URL }

func (d nearby) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.URL.Host == imdsHost {
		r.URL.Host = d.to.Host
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestManagedIdentityOfAVM(t *testing.T) {
	clearManaged(t)
	r := newMachineRig(t)
	delete(r.env, "AZURE_CLIENT_ID")
	r.id.Kind = Managed
	u, err := url.Parse(serve(t, r.world.IMDS()))
	if err != nil {
		t.Fatal(err)
	}
	r.Near = &http.Client{Transport: nearby{u}}
	r.works(Managed)
	r.set("AZURE_CLIENT_ID=" + fake.Assigned)
	r.works(Managed)
	r.set("AZURE_CLIENT_ID=" + fake.Client)
	r.refused(credential.Misconfigured, "no token for the managed identity "+fake.Client)
	r.id.ClientID, r.id.Scopes = fake.Assigned, []string{"api://nobody"}
	r.refused(credential.Misconfigured, "and the scope")
}

// silence is a network in which a connection is never made.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestManagedIdentityWithoutAMachine(t *testing.T) {
	clearManaged(t)
	r := newMachineRig(t)
	r.id.Kind = Managed
	r.id.Scopes = []string{"api://not-cached"}
	r.Near = &http.Client{Transport: silence{}}
	began := time.Now()
	r.refused(credential.Misconfigured, "this machine has no managed identity")
	if d := time.Since(began); d > credential.IMDSConnect+2*time.Second {
		t.Errorf("it took %v", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, _ := r.machine()
	if _, err := m.Token(ctx, credential.Target{}); credential.KindOf(err) != credential.Network || !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

func TestManagedIdentityOfAnAppService(t *testing.T) {
	clearManaged(t)
	r := newMachineRig(t)
	delete(r.env, "AZURE_TENANT_ID")
	r.set("AZURE_CLIENT_ID=" + fake.Assigned)
	endpoint := serve(t, r.world.AppService("s3cr3t"))
	t.Setenv("IDENTITY_ENDPOINT", endpoint) // MSAL reads the process's own
	t.Setenv("IDENTITY_HEADER", "s3cr3t")
	r.set("IDENTITY_ENDPOINT="+endpoint, "IDENTITY_HEADER=s3cr3t")
	r.id.Scopes, r.server = []string{fake.AppURI(2) + "/.default"}, 2 // MSAL's cache lives as long as the process: not the VM's app
	r.works(Managed)
	t.Setenv("IDENTITY_HEADER", "another")
	r.id.Scopes = []string{fake.AppURI(1) + "x"}
	r.refused(credential.Misconfigured, "status 401")
	r.set("IDENTITY_HEADER=")
	r.refused(credential.Misconfigured, "IDENTITY_HEADER")
}

// clearManaged takes the variables away that would tell MSAL of another machine than the test's.
func clearManaged(t *testing.T) {
	t.Helper()
	for _, name := range []string{"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET", "IDENTITY_SERVER_THUMBPRINT"} {
		t.Setenv(name, "")
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
		r.world.Set(func(k *fake.Knobs) { k.Refuse = []fake.Refuse{{Code: code}} })
		r.refused(want.kind, want.says)
		_, err := r.get()
		if code > 1000 && !strings.Contains(err.Error(), "correlation id ") {
			t.Errorf("%d: %v", code, err)
		}
	}
	r.world.Set(func(k *fake.Knobs) { k.Refuse, k.AccessBody = nil, map[string]any{"cnf": map[string]any{"kid": "x"}} })
	r.refused(credential.Misconfigured, "bound to a key")
}

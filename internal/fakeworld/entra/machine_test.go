package entra_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
)

// machineForm is a request of Service, with what a test adds.
func machineForm(more ...string) url.Values {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {entra.Service}, "scope": {entra.AppURI(1) + "/.default"}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

func TestClientSecretIsChecked(t *testing.T) {
	a := start(t)
	secret := a.w.ServiceSecret()
	for want, form := range map[string]url.Values{
		"":              machineForm("client_secret", secret),
		"AADSTS7000215": machineForm("client_secret", secret+"x"),
		"AADSTS7000218": machineForm(),
		"AADSTS700025":  machineForm("client_secret", secret, "client_id", entra.Client),
		"AADSTS700016":  machineForm("client_secret", secret, "client_id", entra.Assigned),
		"AADSTS1002012": machineForm("client_secret", secret, "scope", entra.Scope(1)),
		"AADSTS500011":  machineForm("client_secret", secret, "scope", "api://nobody/.default"),
		"AADSTS28000":   machineForm("client_secret", secret, "scope", entra.AppURI(1)+"/.default "+entra.AppURI(2)+"/.default"),
		"AADSTS90023":   machineForm("client_secret", secret, "client_assertion", "x"),
	} {
		doc, code := a.post("token", form)
		if code != want {
			t.Errorf("%v: %q, want %q", form, code, want)
		}
		if want == "" && (doc["access_token"] == nil || doc["refresh_token"] != nil || doc["id_token"] != nil || doc["scope"] != nil) {
			t.Errorf("%v", doc)
		}
	}
}

// signer signs assertions, right ones until a test bends them.
type signer struct {
	key  *rsa.PrivateKey
	cert []byte
}

func newSigner(t *testing.T, end time.Time) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "agent"}, NotBefore: end.Add(-time.Hour), NotAfter: end}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, cert}
}

func (s signer) assertion(t *testing.T, bend func(header, claims map[string]any)) string {
	t.Helper()
	sum := sha256.Sum256(s.cert)
	header := map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}
	claims := map[string]any{"iss": entra.Service, "sub": entra.Service, "aud": endpoint("token"), "jti": rand.Text(),
		"nbf": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix()}
	bend(header, claims)
	signed := encode(t, header) + "." + encode(t, claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPSS(rand.Reader, s.key, crypto.SHA256, digest[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encode(t *testing.T, doc map[string]any) string {
	t.Helper()
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func assertionForm(assertion string) url.Values {
	return machineForm("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", assertion)
}

func TestCertificateAssertionIsChecked(t *testing.T) {
	a, s, other := start(t), newSigner(t, time.Now().Add(time.Hour)), newSigner(t, time.Now().Add(time.Hour))
	expired := newSigner(t, time.Now().Add(-time.Minute))
	a.w.TrustCertificate(s.cert)
	a.w.TrustCertificate(expired.cert)
	right := func(map[string]any, map[string]any) {}
	once := s.assertion(t, right)
	for _, c := range []struct {
		name, assertion, want string
	}{
		{"right", once, ""},
		{"replayed", once, "AADSTS50027"},
		{"unknown certificate", other.assertion(t, right), "AADSTS700027"},
		{"another's signature", signer{other.key, s.cert}.assertion(t, right), "AADSTS700027"},
		{"expired certificate", expired.assertion(t, right), "AADSTS700027"},
		{"no algorithm", s.assertion(t, func(h, _ map[string]any) { h["alg"] = "none" }), "AADSTS700027"},
		{"no thumbprint", s.assertion(t, func(h, _ map[string]any) { delete(h, "x5t#S256") }), "AADSTS700027"},
		{"audience", s.assertion(t, func(_, c map[string]any) { c["aud"] = "https://" + entra.Host }), "AADSTS700023"},
		{"subject", s.assertion(t, func(_, c map[string]any) { c["sub"] = entra.Client }), "AADSTS700023"},
		{"no jti", s.assertion(t, func(_, c map[string]any) { delete(c, "jti") }), "AADSTS50027"},
		{"expired", s.assertion(t, func(_, c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() }), "AADSTS700024"},
		{"for ever", s.assertion(t, func(_, c map[string]any) { c["exp"] = time.Now().Add(48 * time.Hour).Unix() }), "AADSTS700024"},
		{"malformed", "a.b.c", "AADSTS50027"},
	} {
		if _, code := a.post("token", assertionForm(c.assertion)); code != c.want {
			t.Errorf("%s: %q, want %q", c.name, code, c.want)
		}
	}
	chain := func(h, _ map[string]any) { h["x5c"] = []string{base64.StdEncoding.EncodeToString(other.cert)} }
	if _, code := a.post("token", assertionForm(other.assertion(t, chain))); code != "AADSTS700027" {
		t.Errorf("a name that nobody trusts: %q", code)
	}
	a.w.TrustName("agent")
	if _, code := a.post("token", assertionForm(other.assertion(t, chain))); code != "" {
		t.Errorf("a trusted name: %q", code)
	}
}

func TestFederatedAssertionIsChecked(t *testing.T) {
	a := start(t)
	v, err := entra.NewWorkloadIssuer("https://issuer.example", "me")
	if err != nil {
		t.Fatal(err)
	}
	thief, err := entra.NewWorkloadIssuer("https://issuer.example", "me")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := entra.NewWorkloadIssuer("https://another.example", "me")
	if err != nil {
		t.Fatal(err)
	}
	a.w.TrustFederated(v.Federated())
	for _, c := range []struct {
		voucher  *entra.WorkloadIssuer
		audience string
		want     string
	}{
		{v, entra.ExchangeAudience, ""}, {v, "api://another", "AADSTS700212"},
		{thief, entra.ExchangeAudience, "AADSTS5002730"}, {stranger, entra.ExchangeAudience, "AADSTS700211"},
	} {
		if _, code := a.post("token", assertionForm(c.voucher.Token(c.audience))); code != c.want {
			t.Errorf("%q, want %q", code, c.want)
		}
	}
}

// What stands beside a process refuses what is not addressed as documented.
func TestNeighboursAreStrict(t *testing.T) {
	a := start(t)
	v, err := entra.NewWorkloadIssuer("https://issuer.example", "me")
	if err != nil {
		t.Fatal(err)
	}
	bearer := "Authorization: Bearer " + v.Bearer
	resource := url.QueryEscape(entra.AppURI(1))
	imds := "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=" + resource
	for _, c := range []struct {
		handler http.Handler
		method  string
		target  string
		want    int
		headers []string
	}{
		{v.GitHub(), "GET", "/?api-version=2.0&audience=x", 200, []string{bearer}},
		{v.GitHub(), "GET", "/?api-version=2.0&audience=x", 401, nil},
		{v.GitHub(), "GET", "/?api-version=2.0", 400, []string{bearer}},
		{v.GitHub(), "GET", "/?audience=x", 400, []string{bearer}},
		{v.GitHub(), "POST", "/?api-version=2.0&audience=x", 400, []string{bearer}},
		{v.Pipelines("c"), "POST", "/?api-version=7.1&serviceConnectionId=c", 200, []string{bearer, "Content-Type: application/json"}},
		{v.Pipelines("c"), "GET", "/?api-version=7.1&serviceConnectionId=c", 405, []string{bearer, "Content-Type: application/json"}},
		{v.Pipelines("c"), "POST", "/?api-version=7.1&serviceConnectionId=d", 404, []string{bearer, "Content-Type: application/json"}},
		{v.Pipelines("c"), "POST", "/?serviceConnectionId=c", 400, []string{bearer, "Content-Type: application/json"}},
		{v.Pipelines("c"), "POST", "/?api-version=7.1&serviceConnectionId=c", 302, nil},
		{v.Pipelines("c"), "POST", "/?api-version=7.1&serviceConnectionId=c", 401, []string{"X-TFS-FedAuthRedirect: Suppress"}},
		{a.w.IMDS(), "GET", imds, 200, []string{"Metadata: true"}},
		{a.w.IMDS(), "GET", imds, 400, nil},
		{a.w.IMDS(), "GET", imds, 400, []string{"Metadata: true", "X-Forwarded-For: 10.0.0.1"}},
		{a.w.IMDS(), "GET", imds + "&client_id=" + entra.Assigned, 200, []string{"Metadata: true"}},
		{a.w.IMDS(), "GET", imds + "&client_id=" + entra.Client, 400, []string{"Metadata: true"}},
		{a.w.AppService("s"), "GET", "/?api-version=2019-08-01&resource=" + resource, 200, []string{"X-Identity-Header: s"}},
		{a.w.AppService("s"), "GET", "/?api-version=2019-08-01&resource=" + resource, 401, nil},
		{a.w.AppService("s"), "GET", "/?api-version=2019-08-01&resource=x", 400, []string{"X-Identity-Header: s"}},
	} {
		r := httptest.NewRequest(c.method, c.target, nil)
		for _, h := range c.headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s %v: %d, want %d", c.method, c.target, c.headers, w.Code, c.want)
		}
	}
}

package entra_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
)

const (
	redirect = "http://localhost:49152"
	verifier = "a-verifier-of-forty-three-characters-or-more"
)

// agent is a client that does nothing right by itself.
type agent struct {
	t    *testing.T
	w    *entra.World
	http *http.Client
}

func start(t *testing.T) *agent {
	t.Helper()
	w, err := entra.Start(entra.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(w.CertPEM()) {
		t.Fatal("no certificate")
	}
	transport := &http.Transport{Proxy: w.Proxy, TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &agent{t, w, &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func endpoint(name string) string {
	return "https://" + entra.Host + "/" + entra.Tenant + "/oauth2/v2.0/" + name
}

// post returns the JSON of an answer and the AADSTS code in it, "" for a success.
func (a *agent) post(name string, form url.Values) (doc map[string]any, code string) {
	a.t.Helper()
	resp, err := a.http.PostForm(endpoint(name), form)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		a.t.Fatal(err)
	}
	text, _ := doc["error_description"].(string)
	code, _, _ = strings.Cut(text, ":")
	if code != "" && (doc["correlation_id"] == "" || len(doc["error_codes"].([]any)) != 1) {
		a.t.Errorf("not the shape of Entra's refusals: %v", doc)
	}
	return doc, code
}

func with(form url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for k, v := range form {
		out[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			out.Del(pairs[i])
		}
	}
	return out
}

func (a *agent) authorize(pairs ...string) (status int, back url.Values) {
	a.t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	form := with(url.Values{"client_id": {entra.Client}, "response_type": {"code"}, "redirect_uri": {redirect}, "state": {"s"},
		"scope": {"openid profile offline_access " + entra.Scope(1)}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}, pairs...)
	resp, err := a.http.Get(endpoint("authorize") + "?" + form.Encode())
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, u.Query()
}

func (a *agent) redemption() url.Values {
	_, back := a.authorize()
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {entra.Client}, "code": {back.Get("code")}, "redirect_uri": {redirect},
		"code_verifier": {verifier}, "scope": {"openid profile offline_access " + entra.Scope(1)}, "client_info": {"1"}}
}

func TestCode(t *testing.T) {
	a := start(t)
	for name, c := range map[string]struct {
		change []string
		want   string
	}{
		"good": {nil, ""}, "another redirect": {[]string{"redirect_uri", "http://localhost:1"}, "AADSTS50011"},
		"another verifier": {[]string{"code_verifier", "x"}, "AADSTS501481"}, "no scope": {[]string{"scope", ""}, "AADSTS28003"},
		"unknown code": {[]string{"code", "x"}, "AADSTS9002313"}, "another client": {[]string{"client_id", entra.Other}, "AADSTS9002313"},
		"unknown client": {[]string{"client_id", "x"}, "AADSTS700016"}, "a secret": {[]string{"client_secret", "x"}, "AADSTS700025"},
	} {
		if _, code := a.post("token", with(a.redemption(), c.change...)); code != c.want {
			t.Errorf("%s: %q, want %q", name, code, c.want)
		}
	}
	form := a.redemption()
	a.post("token", form)
	if _, code := a.post("token", form); code != "AADSTS54005" {
		t.Errorf("a code twice: %s", code)
	}
}

func TestPage(t *testing.T) {
	a := start(t)
	for name, change := range map[string][]string{
		"by address": {"redirect_uri", "http://127.0.0.1:1"}, "with a path": {"redirect_uri", "http://localhost:1/callback"}, "https": {"redirect_uri", "https://localhost:1"},
		"no PKCE": {"code_challenge", ""}, "no state": {"state", ""}, "unknown client": {"client_id", "x"},
	} {
		if status, back := a.authorize(change...); status != http.StatusBadRequest || len(back) != 0 {
			t.Errorf("%s: %d %v", name, status, back)
		}
	}
	for name, c := range map[string][2]string{"mixed": {entra.Scope(1) + " " + entra.AppURI(1) + "/.default", "AADSTS70011"}, "bare": {"read", "AADSTS650053"}} {
		if _, back := a.authorize("scope", c[0]); !strings.HasPrefix(back.Get("error_description"), c[1]) || back.Has("code") {
			t.Errorf("%s: %v", name, back)
		}
	}
}

func TestRefresh(t *testing.T) {
	a := start(t)
	doc, _ := a.post("token", a.redemption())
	old := doc["refresh_token"].(string)
	if len(old) != 1600 {
		t.Errorf("a refresh token of %d bytes", len(old))
	}
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {entra.Client}, "refresh_token": {old}, "scope": {"openid offline_access " + entra.Scope(2)}}
	for name, c := range map[string]struct {
		change []string
		want   string
	}{
		"another app": {nil, ""}, "again": {nil, ""}, "its URI as resource": {[]string{"resource", entra.AppURI(2)}, ""},
		"a slash": {[]string{"resource", entra.AppURI(2) + "/"}, "AADSTS9010010"}, "no scope": {[]string{"scope", ""}, "AADSTS900144"},
		"only OpenID": {[]string{"scope", "openid"}, "AADSTS900144"}, "itself": {[]string{"scope", "api://" + entra.Client + "/.default"}, "AADSTS90009"},
		"two apps": {[]string{"scope", entra.Scope(1) + " " + entra.Scope(2)}, "AADSTS28000"}, "unknown": {[]string{"refresh_token", "x"}, "AADSTS9002313"},
		"another client": {[]string{"client_id", entra.Other}, "AADSTS9002313"},
	} {
		got, code := a.post("token", with(form, c.change...))
		if code != c.want || code == "" && got["refresh_token"] == old {
			t.Errorf("%s: %q, want %q", name, code, c.want)
		}
	}
	got, _ := a.post("token", with(form, "scope", entra.AppURI(2)+"/.default"))
	if strings.Contains(got["scope"].(string), ".default") {
		t.Errorf("echoes %v", got["scope"])
	}
	if err := a.w.Control([]byte(`{"revoke_all":true}`)); err != nil {
		t.Fatal(err)
	}
	if _, code := a.post("token", form); code != "AADSTS50173" {
		t.Errorf("revoked: %s", code)
	}
}

func TestProxyLeadsNowhereElse(t *testing.T) {
	a := start(t)
	if resp, err := a.http.Get("https://login.microsoftonline.com.evil.example/"); err == nil {
		resp.Body.Close()
		t.Error("it led somewhere")
	}
	resp, err := a.http.Get("https://" + entra.Host + "/" + entra.Tenant + "/v2.0/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || strings.Contains(string(body), "code_challenge_methods_supported") {
		t.Errorf("%s %v", body, err)
	}
	got := a.w.Stats().HTTP
	if got["PROXY login.microsoftonline.com.evil.example:443"] != 1 {
		t.Errorf("counted %v", got)
	}
}

package fakeworld_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

const redirect = "http://127.0.0.1:49152/callback"

// agent is a client that a test makes misbehave by changing one parameter.
type agent struct {
	t        *testing.T
	w        *fakeworld.World
	http     *http.Client
	verifier string
}

func start(t *testing.T, o fakeworld.Options) *agent {
	t.Helper()
	w, err := fakeworld.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &agent{t: t, w: w, verifier: rand.Text() + rand.Text(), http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response with its JSON, where it is JSON.
type answer struct {
	status int
	header http.Header
	doc    map[string]any
	body   string
}

func (a answer) text(field string) string { s, _ := a.doc[field].(string); return s }

func (a *agent) do(req *http.Request, err error) answer {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	out := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	_ = json.Unmarshal(body, &out.doc)
	return out
}

func (a *agent) get(u string) answer {
	a.t.Helper()
	return a.do(http.NewRequest(http.MethodGet, u, nil))
}

// post sends a form to an endpoint of the issuer; user and password are Basic credentials where not empty.
func (a *agent) post(endpoint string, form url.Values, user, password string) answer {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodPost, a.w.Issuer()+endpoint, strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if user != "" {
			req.SetBasicAuth(url.QueryEscape(user), url.QueryEscape(password))
		}
	}
	return a.do(req, err)
}

// with returns form with pairs of names and values set; an empty value removes the name.
func with(form url.Values, pairs ...string) url.Values {
	out := maps.Clone(form)
	for i := 0; i < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			out.Del(pairs[i])
		}
	}
	return out
}

func (a *agent) authorizeForm() url.Values {
	sum := sha256.Sum256([]byte(a.verifier))
	return url.Values{
		"response_type": {"code"}, "client_id": {fakeworld.PublicClient}, "redirect_uri": {redirect}, "state": {"state-1"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"resource": {a.w.ServerURL()}, "scope": {"mcp:read"},
	}
}

// authorize sends the person to the authorization endpoint and returns the query of the redirect back.
func (a *agent) authorize(form url.Values) url.Values {
	a.t.Helper()
	resp := a.get(a.w.Issuer() + "/authorize?" + form.Encode())
	u, err := url.Parse(resp.header.Get("Location"))
	if err != nil || resp.status != http.StatusFound {
		a.t.Fatalf("the authorization endpoint answered %d %s", resp.status, resp.body)
	}
	return u.Query()
}

func (a *agent) codeForm(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "client_id": {fakeworld.PublicClient},
		"code_verifier": {a.verifier}, "resource": {a.w.ServerURL()},
	}
}

func (a *agent) refreshForm(token string) url.Values {
	return url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {fakeworld.PublicClient},
		"resource": {a.w.ServerURL()},
	}
}

// signIn runs the code flow and returns the token response.
func (a *agent) signIn() answer {
	a.t.Helper()
	code := a.authorize(a.authorizeForm()).Get("code")
	resp := a.post("/token", a.codeForm(code), "", "")
	if resp.status != http.StatusOK {
		a.t.Fatalf("the code was refused: %s", resp.body)
	}
	return resp
}

// ping uses an access token at a protected server.
func (a *agent) ping(server, token string) answer {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodGet, server+"/ping", nil)
	if err == nil && token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return a.do(req, err)
}

func (a *agent) wantError(resp answer, status int, code string) {
	a.t.Helper()
	if resp.status != status || resp.text("error") != code {
		a.t.Errorf("got %d %s, want %d %s", resp.status, strings.TrimSpace(resp.body), status, code)
	}
}

func (a *agent) wantPing(token string, status int) {
	a.t.Helper()
	if resp := a.ping(a.w.ServerURL(), token); resp.status != status {
		a.t.Errorf("the protected server answered %d, want %d", resp.status, status)
	}
}

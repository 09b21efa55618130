package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
)

const goodToken = `{"access_token":"at-1","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-2","scope":"read"}`

// server is an authorization server that answers as a test says and remembers what it was asked.
type server struct {
	url string
	t   *testing.T

	token    func(w http.ResponseWriter, form url.Values, n int) // n counts from 1
	register string                                              // answer of /register
	device   string                                              // answer of /device
	redirect func(q url.Values)                                  // changes the redirect of /authorize

	mu         sync.Mutex
	requests   []url.Values // of /token
	basics     []string     // "user:password" of each
	authorized url.Values   // of /authorize
	registered map[string]any
	revoked    url.Values
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, register: `{"client_id":"dynamic","token_endpoint_auth_method":"none"}`, redirect: func(url.Values) {}}
	s.answer(200, goodToken)
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.url = h.URL
	return s
}

// answer makes every token request get the same answer.
func (s *server) answer(status int, body string) {
	s.token = func(w http.ResponseWriter, _ url.Values, _ int) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case "/token":
		_ = r.ParseForm()
		user, password, _ := r.BasicAuth()
		s.requests, s.basics = append(s.requests, r.PostForm), append(s.basics, user+":"+password)
		n := len(s.requests)
		s.mu.Unlock() // an answer may take its time
		s.token(w, r.PostForm, n)
		s.mu.Lock()
	case "/register":
		_ = json.NewDecoder(r.Body).Decode(&s.registered)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, s.register)
	case "/device":
		_, _ = io.WriteString(w, s.device)
	case "/authorize":
		s.authorized = r.URL.Query()
		if !s.mayRedirect() {
			s.t.Error("the redirect is not one of a native client's")
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		q := url.Values{"code": {"the-code"}, "state": {s.authorized.Get("state")}, "iss": {s.url}}
		s.redirect(q)
		http.Redirect(w, r, s.authorized.Get("redirect_uri")+"?"+q.Encode(), http.StatusFound)
	case "/revoke":
		_ = r.ParseForm()
		s.revoked = r.PostForm
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// mayRedirect is oidc-provider's rule for a registered client: a native one may use any port of its loopback redirect
// (RFC 8252 section 7.3), and any other exactly what it registered.
func (s *server) mayRedirect() bool {
	if s.authorized.Get("client_id") != "dynamic" {
		return true
	}
	uris, _ := s.registered["redirect_uris"].([]any)
	if len(uris) != 1 {
		return false
	}
	got, want := s.authorized.Get("redirect_uri"), uris[0].(string)
	if s.registered["application_type"] == "native" {
		got, want = withoutPort(got), withoutPort(want)
	}
	return got == want
}

func withoutPort(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() != "127.0.0.1" {
		return raw
	}
	u.Host = u.Hostname()
	return u.String()
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *server) target() credential.Target {
	return credential.Target{
		Server: "https://mcp.example/mcp", Resource: "https://mcp.example/mcp/", Scopes: []string{"read", "write"}, ClientID: "client",
		Endpoints: credential.Endpoints{
			Issuer: s.url, Authorization: s.url + "/authorize?keep=1", Token: s.url + "/token", Device: s.url + "/device",
			Registration: s.url + "/register", Revocation: s.url + "/revoke", PKCE: []string{"plain", "S256"}, IssInResponse: true,
		},
	}
}

// verifies reports whether a token request proves the challenge of the authorization request.
func (s *server) verifies(form url.Values) bool {
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	return s.authorized.Get("code_challenge_method") == "S256" && s.authorized.Get("code_challenge") == base64.RawURLEncoding.EncodeToString(sum[:])
}

// asker is a Source whose clock and pauses belong to the test.
type asker struct {
	*Source
	now    time.Time
	pauses []time.Duration
}

func newAsker(t *testing.T) *asker {
	t.Helper()
	client, err := webclient.New(webclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	a := &asker{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	a.Source = New(source.Config{
		Client: client,
		Now:    func() time.Time { return a.now },
		Jitter: func() float64 { return 0 },
		Sleep: func(ctx context.Context, d time.Duration) error {
			a.pauses = append(a.pauses, d)
			a.now = a.now.Add(d)
			return ctx.Err()
		},
	})
	return a
}

// person is a source.UI that signs in at once.
type person struct {
	t     *testing.T
	way   source.Way
	page  string                   // what the browser ended on
	paste func(last string) string // of the URL that the browser ended on
	again func(last string) string // the same, after a mistake; nil: the person gives up
	wrong error                    // what was said about the last paste
	told  []string

	opened     string
	code       []string
	registered []string
	done       chan struct{} // closed when the browser shows its page
}

func newPerson(t *testing.T) *person { return &person{t: t, done: make(chan struct{})} }

func (p *person) Way() source.Way { return p.way }

// OpenURL browses in the background. The browser outlives the sign-in, as a real one does.
func (p *person) OpenURL(_ context.Context, u string) error {
	p.opened = u
	if p.way == source.NoBrowser {
		return nil
	}
	go func() {
		defer close(p.done)
		resp, err := http.Get(u)
		if err != nil {
			p.t.Error(err)
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		p.page = string(body)
	}()
	return nil
}

// shown is the last page, once there is one.
func (p *person) shown() string {
	select {
	case <-p.done:
		return p.page
	case <-time.After(5 * time.Second):
		p.t.Fatal("the browser got no page")
		return ""
	}
}

func (p *person) Tell(text string) { p.told = append(p.told, text) }

func (p *person) ShowCode(_ context.Context, where, complete, code string) error {
	p.code = []string{where, complete, code}
	return nil
}

func (p *person) PastedRedirect(ctx context.Context, wrong error) (string, error) {
	if p.wrong = wrong; wrong != nil && p.again == nil {
		return "", wrong
	}
	paste := p.paste
	if wrong != nil {
		paste = p.again
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(p.opened)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	return paste(resp.Header.Get("Location")), ctx.Err()
}

func (p *person) Registered(id string, secret credential.Secret) error {
	p.registered = append(p.registered, id, secret.Reveal())
	return nil
}

// check fails the test unless err has the kind, one line, and none of the test's secrets.
func check(t *testing.T, err error, kind credential.Kind) {
	t.Helper()
	if err == nil || credential.KindOf(err) != kind {
		t.Errorf("error %v; want kind %v", err, kind)
		return
	}
	var typed *credential.Error
	if !errors.As(err, &typed) {
		t.Errorf("%v is not a credential.Error", err)
	}
	for _, secret := range []string{"rt-1", "rt-2", "at-1", "the-code", "s3cret", "\n", "\x1b"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q is in the error: %v", secret, err)
		}
	}
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q; want %q", what, got, want)
	}
}

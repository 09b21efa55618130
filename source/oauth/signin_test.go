package oauth

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
	"github.com/mcp-credential/mcp-credential/source"
)

func TestBrowser(t *testing.T) {
	s, a, p := newServer(t), newAsker(t), newPerson(t)
	target := s.target()
	target.Endpoints.Scopes, target.Account = []string{"offline_access", "read"}, "me@example.com"
	got, err := a.Interactive(t.Context(), target, p)
	if err != nil {
		t.Fatal(err)
	}
	if got.Token.Access.Reveal() != "at-1" || got.Grant.RefreshToken.Reveal() != "rt-2" || got.ClientID != "client" || got.AuthMethod != "none" {
		t.Errorf("answer %+v", got)
	}
	q := s.authorized
	for name, want := range map[string]string{
		"keep": "1", "response_type": "code", "client_id": "client", "resource": "https://mcp.example/mcp/", "scope": "read write offline_access",
		"prompt": "consent", "login_hint": "me@example.com",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q", name, q.Get(name))
		}
	}
	redirect, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || redirect.Scheme != "http" || redirect.Hostname() != "127.0.0.1" || redirect.Path != "/callback" || len(q.Get("state")) < 22 {
		t.Errorf("redirect %v, state %q", redirect, q.Get("state"))
	}
	form := s.requests[0]
	if !s.verifies(form) || len(form.Get("code_verifier")) < 43 || form.Get("resource") != target.Resource ||
		form.Get("redirect_uri") != q.Get("redirect_uri") || form.Get("code") != "the-code" || form.Get("grant_type") != "authorization_code" {
		t.Errorf("token request %v", form)
	}
	if page := p.shown(); !strings.Contains(page, "The sign-in worked") {
		t.Errorf("page:\n%s", page)
	}
}

// A client that was registered by hand is taken as a person has written it down, and nothing of ours can be replaced.
func TestRegisteredByHand(t *testing.T) {
	s, a, p := newServer(t), newAsker(t), newPerson(t)
	target := s.target()
	port, err := loopback.Listen("s")
	if err != nil {
		t.Fatal(err)
	}
	port.Close()
	target.Redirect = strings.Replace(port.URI(), "127.0.0.1", "localhost", 1) + "/x"
	target.Params = map[string]string{"audience": "api", "keep": "2", "code_challenge_method": "plain", "resource": "https://elsewhere.example"}
	target.Secret, target.AuthMethod, target.Endpoints.AuthMethods = credential.NewSecret("s3cret"), "client_secret_post", nil
	got, err := a.Interactive(t.Context(), target, p)
	if err != nil {
		t.Fatal(err)
	}
	q := s.authorized
	if q.Get("redirect_uri") != target.Redirect || q.Get("audience") != "api" || q.Get("keep") != "2" || q.Get("code_challenge_method") != "S256" || q.Get("resource") != target.Resource {
		t.Errorf("asked for %v", q)
	}
	if form := s.requests[0]; got.AuthMethod != "client_secret_post" || form.Get("client_secret") != "s3cret" || s.basics[0] != ":" || form.Get("redirect_uri") != target.Redirect {
		t.Errorf("%s, token request without its secrets: %v", got.AuthMethod, form.Get("redirect_uri"))
	}
	p = newPerson(t)
	p.way, p.paste = source.NoBrowser, func(last string) string { return last }
	if _, err := a.Interactive(t.Context(), target, p); err != nil || s.authorized.Get("redirect_uri") != target.Redirect {
		t.Errorf("pasted: %v", err)
	}
}

// Google gives a refresh token only where it is asked for one in its own words.
func TestGoogleMCPRemote53(t *testing.T) {
	a := attempt{target: credential.Target{Endpoints: credential.Endpoints{Issuer: "https://accounts.google.com", Authorization: "https://accounts.google.com/o/oauth2/v2/auth"}}}
	for _, c := range []struct {
		params map[string]string
		want   string
	}{{nil, "offline consent"}, {map[string]string{"access_type": "online"}, "online consent"}} {
		a.target.Params = c.params
		u, err := url.Parse(a.url())
		if q := u.Query(); err != nil || q.Get("access_type")+" "+q.Get("prompt") != c.want {
			t.Errorf("%s %v", u, err)
		}
	}
}

// A refresh token is asked for in the words of OpenID Connect where the server lists them, and only there.
func TestOfflineAccessNotra498(t *testing.T) {
	for _, c := range []struct {
		listed        []string
		scope, prompt string
	}{{nil, "read write", ""}, {[]string{"read", "offline_access"}, "read write offline_access", "consent"}} {
		s, a, p := newServer(t), newAsker(t), newPerson(t)
		target := s.target()
		target.Endpoints.Scopes = c.listed
		if _, err := a.Interactive(t.Context(), target, p); err != nil {
			t.Fatal(err)
		}
		if q := s.authorized; q.Get("scope") != c.scope || q.Get("prompt") != c.prompt {
			t.Errorf("with %v listed: asked for %v", c.listed, q)
		}
	}
}

// TestAttacks changes the redirect, or the promises behind it.
func TestAttacks(t *testing.T) {
	for name, test := range map[string]struct {
		redirect func(q url.Values)
		kind     credential.Kind
		want     string
	}{
		"issuer of another server": {func(q url.Values) { q.Set("iss", "https://evil.example"); q.Set("error", "hidden") }, credential.Hostile, "another authorization server"},
		"issuer with a slash":      {func(q url.Values) { q.Set("iss", q.Get("iss")+"/") }, credential.Hostile, "another authorization server"},
		"issuer missing":           {func(q url.Values) { q.Del("iss"); q.Set("error", "hidden") }, credential.Hostile, "does not say"},
		"issuer twice":             {func(q url.Values) { q.Add("iss", q.Get("iss")) }, credential.Hostile, "more than once"},
		"code twice":               {func(q url.Values) { q.Add("code", "x") }, credential.Hostile, "more than once"},
		"no code":                  {func(q url.Values) { q.Del("code") }, credential.Hostile, "neither"},
		"denied": {func(q url.Values) {
			q.Del("code")
			q.Set("error", "access_denied")
			q.Set("error_description", "no <b>\x1b[31m")
		}, credential.Refused, "access was denied at the authorization server (access_denied): no <b>?[31m"},
		"login required": {func(q url.Values) { q.Set("error", "login_required") }, credential.StepUp, "sign in again"},
	} {
		t.Run(name, func(t *testing.T) {
			s, a, p := newServer(t), newAsker(t), newPerson(t)
			s.redirect = test.redirect
			_, err := a.Interactive(t.Context(), s.target(), p)
			check(t, err, test.kind)
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("text %q", err)
			}
			if page := p.shown(); !strings.Contains(page, "The sign-in failed") || strings.Contains(page, "<b>") || strings.Contains(page, "hidden") {
				t.Errorf("page:\n%s", page)
			}
			if s.count() != 0 {
				t.Error("a code was redeemed")
			}
		})
	}
}

// TestWrongStateKeepsWaiting: a redirect with another state is nobody's, and the sign-in goes on.
func TestWrongStateKeepsWaiting(t *testing.T) {
	s, a, p := newServer(t), newAsker(t), newPerson(t)
	s.redirect = func(q url.Values) { q.Set("state", "forged") }
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-p.done
		cancel()
	}()
	_, err := a.Interactive(ctx, s.target(), p)
	check(t, err, credential.NoSignIn)
	if s.count() != 0 || !errors.Is(err, context.Canceled) || !strings.Contains(p.shown(), "Nothing here") {
		t.Errorf("%v, %d requests, page:\n%s", err, s.count(), p.page)
	}
}

// TestGivenUp: the page of an authorization server that knows another redirect URI never comes back, so whoever gives up is
// told of it, unless the client was just registered or the redirect URI is configured.
func TestGivenUp(t *testing.T) {
	port, err := loopback.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	port.Close()
	for _, c := range []struct {
		client, redirect string
		told             bool
	}{{"mine", "", true}, {"", "", false}, {"mine", port.URI(), false}} {
		s, a, p := newServer(t), newAsker(t), newPerson(t)
		s.redirect = func(q url.Values) { q.Set("state", "forged") }
		target := s.target()
		target.ClientID, target.Redirect = c.client, c.redirect
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-p.done
			cancel()
		}()
		_, err := a.Interactive(ctx, target, p)
		check(t, err, credential.NoSignIn)
		if strings.Contains(err.Error(), "--callback-port") != c.told {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestIssuerMayBeAbsentWhereItWasNotPromised(t *testing.T) {
	s, a, p := newServer(t), newAsker(t), newPerson(t)
	s.redirect = func(q url.Values) { q.Del("iss") }
	target := s.target()
	target.Endpoints.IssInResponse = false
	if _, err := a.Interactive(t.Context(), target, p); err != nil {
		t.Error(err)
	}
}

func TestPageWaitsForTheRedemption(t *testing.T) {
	s, a, p := newServer(t), newAsker(t), newPerson(t)
	s.answer(400, `{"error":"invalid_grant","error_description":"the-code was used"}`)
	_, err := a.Interactive(t.Context(), s.target(), p)
	check(t, err, credential.Refused)
	if page := p.shown(); !strings.Contains(page, "The sign-in failed") || strings.Contains(page, "the-code") {
		t.Errorf("page:\n%s", page)
	}
}

func TestServersThatCannotBeUsed(t *testing.T) {
	for name, change := range map[string]func(*credential.Target){
		"no PKCE announced":       func(t *credential.Target) { t.Endpoints.PKCE = nil },
		"only plain PKCE":         func(t *credential.Target) { t.Endpoints.PKCE = []string{"plain"} },
		"no authorization":        func(t *credential.Target) { t.Endpoints.Authorization = "" },
		"no client":               func(t *credential.Target) { t.ClientID, t.Endpoints.Registration = "", "" },
		"client document unknown": func(t *credential.Target) { t.ClientID = "https://app.example/client.json" },
		"no device endpoint":      func(t *credential.Target) { t.Endpoints.Device = "" },
	} {
		s, a, p := newServer(t), newAsker(t), newPerson(t)
		if name == "no device endpoint" {
			p.way = source.Device
		}
		target := s.target()
		change(&target)
		_, err := a.Interactive(t.Context(), target, p)
		check(t, err, credential.Misconfigured)
		if p.opened != "" {
			t.Errorf("%s: the browser was opened", name)
		}
	}
}

func TestPasted(t *testing.T) {
	whole := func(last string) string { return " " + last + "\n" }
	query := func(last string) string { _, q, _ := strings.Cut(last, "?"); return q }
	for name, test := range map[string]struct {
		paste func(string) string
		kind  credential.Kind // Internal: success
	}{
		"the whole redirect": {whole, credential.Internal},
		"with a fragment":    {func(l string) string { return l + "#_=_" }, credential.Internal},
		"its query":          {query, credential.Internal},
		"query with a mark":  {func(l string) string { return "?" + query(l) }, credential.Internal},
		"another state":      {func(l string) string { return query(l) + "x" }, credential.Hostile},
		"another address":    {func(l string) string { return "https://evil.example/callback?" + query(l) }, credential.BadInput},
		"nothing":            {func(string) string { return " " }, credential.BadInput},
		"a control":          {func(l string) string { return l + "\x1b" }, credential.BadInput},
		"too much":           {func(l string) string { return l + strings.Repeat("a", 16<<10) }, credential.BadInput},
		"a bad escape":       {func(string) string { return "code=%zz" }, credential.BadInput},
	} {
		s, a := newServer(t), newAsker(t)
		honest := s.redirect
		p := &person{t: t, way: source.NoBrowser, paste: test.paste}
		if name == "another state" {
			s.redirect = func(q url.Values) { q.Set("zzz", "1"); q.Set("state", "forged") }
		}
		got, err := a.Interactive(t.Context(), s.target(), p)
		if test.kind == credential.Internal {
			if err != nil || got.Token.Access.Reveal() != "at-1" || !s.verifies(s.requests[0]) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		check(t, p.wrong, test.kind)
		check(t, err, test.kind)
		if s.count() != 0 {
			t.Errorf("%s: a code was redeemed", name)
		}
		s.redirect = honest
		p.again = whole
		if got, err = a.Interactive(t.Context(), s.target(), p); err != nil || got.Token.Access.Reveal() != "at-1" {
			t.Errorf("%s, then the right address: %v", name, err)
		}
	}
}

package entra

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	fake "github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
	"github.com/mcp-credential/mcp-credential/source"
)

func TestBrowser(t *testing.T) {
	r := newRig(t, fake.Options{RefreshIn: 30 * time.Minute})
	a := r.signIn(r.target(1))
	if got := r.ping(1, a.Token.Access); got != 200 {
		t.Errorf("the server answers %d", got)
	}
	if a.Grant.RefreshToken.IsZero() || a.User != fake.Person || !strings.HasSuffix(a.Subject, "."+fake.Tenant) || a.ClientID != fake.Client {
		t.Errorf("answer %+v", a)
	}
	if got := a.Token.RefreshAt.Sub(a.Token.Obtained); got != 30*time.Minute {
		t.Errorf("refreshed after %v, want refresh_in", got)
	}
	q := r.world.Stats().AuthorizeRequests[0]
	for name, want := range map[string]string{"response_mode": "form_post", "prompt": "select_account", "resource": "",
		"claims": `{"access_token":{"xms_cc":{"values":["cp1"]}}}`, "scope": "openid profile offline_access " + fake.Scope(1)} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if strings.Contains(r.opened[0], "response_mode=query") || r.requests() != 2 { // the page, the code
		t.Errorf("%d requests: %v", r.requests(), r.world.Stats().HTTP)
	}
}

func TestWhoIsAskedForTheAccount(t *testing.T) {
	for _, c := range []struct{ account, user, hint, prompt string }{
		{"", "", "", "select_account"}, {"work", "", "", "select_account"}, {"bob@contoso.com", "", "bob@contoso.com", "select_account"},
		{"work", "carol@contoso.com", "carol@contoso.com", ""}, {"bob@contoso.com", "carol@contoso.com", "bob@contoso.com", ""},
	} {
		r := newRig(t, fake.Options{})
		target := r.target(1)
		target.Account, target.User = c.account, c.user
		if a := r.signIn(target); a.User != firstOf(c.hint, fake.Person) {
			t.Errorf("%+v: signed in as %q", c, a.User)
		}
		if q := r.world.Stats().AuthorizeRequests[0]; q.Get("prompt") != c.prompt || q.Get("login_hint") != c.hint {
			t.Errorf("%+v: asked with %v", c, q)
		}
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestNoBrowser(t *testing.T) {
	r := newRig(t, fake.Options{})
	r.way = source.NoBrowser
	a := r.signIn(r.target(1))
	if got := r.ping(1, a.Token.Access); got != 200 {
		t.Errorf("the server answers %d", got)
	}
	if q := r.world.Stats().AuthorizeRequests[0]; q.Get("response_mode") != "query" {
		t.Errorf("asked with %v", q)
	}
}

func TestSilentIsOneRequest(t *testing.T) {
	r := newRig(t, fake.Options{})
	g := r.signIn(r.target(1)).Grant
	r.world.ResetStats()
	fresh := New(r.Config) // as a new process
	r.Source = fresh
	a, err := r.silent(r.target(2), g)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.requests(); got != 1 {
		t.Errorf("%d requests: %v", got, r.world.Stats().HTTP)
	}
	if r.ping(2, a.Token.Access) != 200 || r.ping(1, a.Token.Access) != 401 {
		t.Error("the token is not for the second server alone")
	}
	if a.Grant.RefreshToken.Equal(g.RefreshToken) {
		t.Error("the refresh token was not rotated")
	}
	sent := r.world.Stats().TokenRequests[0].Params
	for name, want := range map[string]string{"scope": fake.Scope(2) + " openid offline_access profile", "resource": "",
		"claims": `{"access_token":{"xms_cc":{"values":["cp1"]}}}`} {
		if sent.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, sent.Get(name), want)
		}
	}
}

// A requested .default is not in the echoed scope: MSAL calls it declined and forgets the answer.
func TestDeclinedScopesAreNotOurs(t *testing.T) {
	r := newRig(t, fake.Options{})
	target := r.target(1)
	target.Scopes = []string{fake.AppURI(1) + "/.default", "offline_access"}
	a := r.signIn(target)
	for range 2 {
		b, err := r.silent(target, a.Grant)
		if err != nil || b.Grant.RefreshToken.Equal(a.Grant.RefreshToken) || r.ping(1, b.Token.Access) != 200 {
			t.Fatalf("%v %v", b, err)
		}
		a = b
	}
}

func TestKeepComesFirst(t *testing.T) {
	r := newRig(t, fake.Options{})
	g := r.signIn(r.target(1)).Grant
	for name, odd := range map[string]map[string]any{
		"no access token":   {"access_token": nil},
		"odd types":         {"expires_in": []int{1}, "scope": 7, "id_token": 1, "client_info": "%%"},
		"bad id token":      {"id_token": "x"},
		"no expiry":         {"expires_in": nil},
		"unprintable token": {"access_token": "a b"},
	} {
		t.Run(name, func(t *testing.T) {
			r.world.Set(func(k *fake.Behaviour) { k.Token = odd })
			var kept credential.Grant
			_, err := r.Silent(t.Context(), r.target(1), g, "none", func(g credential.Grant) error { kept = g; return nil })
			if kept.RefreshToken.IsZero() || kept.RefreshToken.Equal(g.RefreshToken) {
				t.Errorf("the rotated refresh token is lost (%v)", err)
			}
			if err != nil && strings.Contains(err.Error(), kept.RefreshToken.Reveal()) {
				t.Error("the error holds the refresh token")
			}
		})
	}
	r.world.Set(func(k *fake.Behaviour) { k.Token = nil })
	full := errors.New("no space")
	a, err := r.Silent(t.Context(), r.target(1), g, "none", func(credential.Grant) error { return full })
	if !errors.Is(err, full) || r.ping(1, a.Token.Access) != 200 {
		t.Errorf("a token must come although keep failed: %v", err)
	}
}

func TestResourceParameter(t *testing.T) {
	r := newRig(t, fake.Options{})
	g := r.signIn(r.target(1)).Grant
	for name, c := range map[string]struct {
		resource string
		sent     string
	}{
		"the server":        {r.world.ServerURL(1), ""},
		"the App ID URI":    {fake.AppURI(1), fake.AppURI(1)},
		"a trailing slash":  {fake.AppURI(1) + "/", ""},
		"another app":       {fake.AppURI(2), ""},
		"no resource known": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r.world.ResetStats()
			target := r.target(1)
			target.Resource = c.resource
			if _, err := r.silent(target, g); err != nil {
				t.Fatal(err)
			}
			if sent := r.world.Stats().TokenRequests; len(sent) != 1 || sent[0].Params.Get("resource") != c.sent {
				t.Errorf("sent %v", sent)
			}
		})
	}
	target := r.target(1)
	target.Resource = fake.AppURI(1)
	for _, code := range []int{9010010, 901002} {
		r.world.ResetStats()
		r.world.Set(func(k *fake.Behaviour) { k.Refuse = []fake.Refuse{{Code: code, Times: 1}} })
		if _, err := r.silent(target, g); err != nil {
			t.Fatal(err)
		}
		sent := r.world.Stats().TokenRequests
		if len(sent) != 2 || sent[0].Params.Get("resource") == "" || sent[1].Params.Has("resource") {
			t.Errorf("after AADSTS%d: %v", code, sent)
		}
	}
}

func TestClaims(t *testing.T) {
	r := newRig(t, fake.Options{})
	g := r.signIn(r.target(1)).Grant
	target := r.target(1)
	target.Claims = `{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}`
	if _, err := r.silent(target, g); err != nil {
		t.Fatal(err)
	}
	sent := r.world.Stats().TokenRequests[1].Params.Get("claims")
	if !strings.Contains(sent, `"nbf"`) || !strings.Contains(sent, `"cp1"`) {
		t.Errorf("claims %s", sent)
	}
	r.world.Set(func(k *fake.Behaviour) { k.MFA = true })
	_, err := r.silent(target, g)
	wantKind(t, err, credential.StepUp)
	var e *credential.Error
	if !errors.As(err, &e) || !strings.Contains(e.Claims, "acrs") {
		t.Fatalf("the claims are lost: %+v", e)
	}
	target.Claims = e.Claims
	if _, err := r.silent(r.target(1), r.signIn(target).Grant); err != nil {
		t.Errorf("after the second factor: %v", err)
	}
	for _, q := range r.world.Stats().AuthorizeRequests[1:] {
		if !strings.Contains(q.Get("claims"), "acrs") {
			t.Errorf("asked with %v", q)
		}
	}
}

func TestBoundTokenIsNoBearer(t *testing.T) {
	r := newRig(t, fake.Options{})
	g := r.signIn(r.target(1)).Grant
	r.world.Set(func(k *fake.Behaviour) { k.AccessBody = map[string]any{"cnf": map[string]any{"kid": "x"}} })
	_, err := r.silent(r.target(1), g)
	wantKind(t, err, credential.Misconfigured)
	r.world.Set(func(k *fake.Behaviour) { k.AccessBody, k.Token = nil, map[string]any{"token_type": "pop"} })
	_, err = r.silent(r.target(1), g)
	wantKind(t, err, credential.Misconfigured)
}

func TestRefusedBeforeAnythingIsAsked(t *testing.T) {
	r := newRig(t, fake.Options{})
	for name, change := range map[string]func(*credential.Target){
		"no client": func(t *credential.Target) { t.ClientID = "" },
		"a foreign host": func(t *credential.Target) {
			t.Endpoints.Issuer = "https://login.microsoftonline.com.evil.example/x/v2.0"
		},
		"http": func(t *credential.Target) { t.Endpoints.Issuer = "http://login.microsoftonline.com/" + fake.Tenant },
		"another port": func(t *credential.Target) {
			t.Endpoints.Issuer = "https://login.microsoftonline.com:8443/" + fake.Tenant
		},
		"no tenant":       func(t *credential.Target) { t.Endpoints.Issuer = "https://login.microsoftonline.com" },
		"a template":      func(t *credential.Target) { t.Endpoints.Issuer = "https://login.microsoftonline.com/{tenantid}/v2.0" },
		"no scope":        func(t *credential.Target) { t.Scopes = []string{"openid"} },
		"a client secret": func(t *credential.Target) { t.Secret = credential.NewSecret("s") },
		"an adfs tenant":  func(t *credential.Target) { t.Endpoints.Issuer = "https://login.microsoftonline.com/adfs" },
		"another document": func(t *credential.Target) {
			t.Endpoints.Issuer = "https://login.microsoftonline.com/common/discovery/instance"
		},
	} {
		t.Run(name, func(t *testing.T) {
			target := r.target(1)
			change(&target)
			_, err := r.Interactive(t.Context(), target, r)
			wantKind(t, err, credential.Misconfigured)
			_, err = r.silent(target, credential.Grant{RefreshToken: credential.NewSecret("rt")})
			wantKind(t, err, credential.Misconfigured)
		})
	}
	if got := r.world.Stats().HTTP; len(got) != 0 || len(r.opened) != 0 {
		t.Errorf("asked %v, opened %v", got, r.opened)
	}
}

func TestForeignRedirect(t *testing.T) {
	r := newRig(t, fake.Options{})
	c, err := r.transport(r.target(1))
	if err != nil {
		t.Fatal(err)
	}
	app, err := c.app(fake.Client)
	if err != nil {
		t.Fatal(err)
	}
	a := source.Attempt{State: "right", Verifier: "v", Redirect: "http://localhost:1"}
	for name, values := range map[string]map[string][]string{
		"wrong state": {"state": {"wrong"}, "code": {"c"}, "error_description": {"AADSTS65001: shown"}},
		"no state":    {"code": {"c"}},
		"two codes":   {"state": {"right"}, "code": {"a", "b"}},
		"nothing":     {"state": {"right"}},
	} {
		_, err := c.redeem(t.Context(), app, r.target(1), a, values)
		if credential.KindOf(err) != credential.Hostile || strings.Contains(err.Error(), "65001") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(r.world.Stats().HTTP) != 0 {
		t.Error("something was redeemed")
	}
}

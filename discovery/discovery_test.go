package discovery

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// site is an MCP server and an authorization server on one origin: documents by path, and what the MCP path says to
// a request without a token. ORIGIN in any text stands for its origin.
type site struct {
	docs      map[string]string
	challenge string // of POST /mcp; empty: 401 without the header
	mcp       http.HandlerFunc

	url   string
	mu    sync.Mutex
	asked []string
}

const (
	prmPath   = "/.well-known/oauth-protected-resource/mcp"
	prmRoot   = "/.well-known/oauth-protected-resource"
	asRoot    = "/.well-known/oauth-authorization-server"
	oidcRoot  = "/.well-known/openid-configuration"
	goodPRM   = `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"],"scopes_supported":["read","write"],"resource_name":"Example\u001b[31m"}`
	goodAS    = `{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/auth","token_endpoint":"ORIGIN/token","code_challenge_methods_supported":["S256"],"device_authorization_endpoint":"ORIGIN/device","revocation_endpoint":"ORIGIN/revoke","registration_endpoint":"ORIGIN/register","token_endpoint_auth_methods_supported":["none"],"grant_types_supported":["refresh_token"],"scopes_supported":["offline_access"],"authorization_response_iss_parameter_supported":true,"client_id_metadata_document_supported":true}`
	tenantPRM = `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN/tenant"]}`
)

var tenantAS = strings.Replace(goodAS, `"issuer":"ORIGIN"`, `"issuer":"ORIGIN/tenant"`, 1)

func (s *site) start(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
}

func (s *site) fill(text string) string { return strings.ReplaceAll(text, "ORIGIN", s.url) }

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	doc, ok := s.docs[r.URL.Path]
	switch {
	case r.URL.Path == "/mcp" && s.mcp != nil:
		s.mcp(w, r)
	case r.URL.Path == "/mcp":
		if s.challenge != "" {
			w.Header().Set("WWW-Authenticate", s.fill(s.challenge))
		}
		w.WriteHeader(http.StatusUnauthorized)
	case ok && strings.HasPrefix(doc, "status "):
		var code int
		_, _ = fmt.Sscanf(doc, "status %d", &code)
		w.WriteHeader(code)
	case ok && strings.HasPrefix(doc, "redirect "):
		http.Redirect(w, r, s.fill(strings.TrimPrefix(doc, "redirect ")), http.StatusFound)
	case ok:
		_, _ = io.WriteString(w, s.fill(doc))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func finder(t *testing.T) Finder {
	t.Helper()
	c, err := webclient.New(webclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return Finder{Client: c, Trace: func(s string) { t.Log(s) }}
}

func (s *site) find(t *testing.T) (Server, error) {
	t.Helper()
	s.start(t)
	return finder(t).Find(t.Context(), s.url+"/mcp")
}

func TestFind(t *testing.T) {
	s := &site{docs: map[string]string{prmPath: goodPRM, asRoot: goodAS}}
	got, err := s.find(t)
	if err != nil {
		t.Fatal(err)
	}
	want := Server{
		URL: s.url + "/mcp", Resource: s.url + "/mcp", Name: "Example?[31m", Scopes: []string{"read", "write"},
		Issuer: s.url, Issuers: []string{s.url},
		Endpoints: credential.Endpoints{
			Issuer: s.url, Authorization: s.url + "/auth", Token: s.url + "/token", Device: s.url + "/device",
			Registration: s.url + "/register", Revocation: s.url + "/revoke", AuthMethods: []string{"none"},
			GrantTypes: []string{"refresh_token"}, Scopes: []string{"offline_access"}, PKCE: []string{"S256"},
			IssInResponse: true, ClientIDDocs: true,
		},
	}
	if a, b := encode(t, got), encode(t, want); a != b {
		t.Errorf("got  %s\nwant %s", a, b)
	}
	if order := []string{"POST /mcp", "GET " + prmPath, "GET " + asRoot}; !slices.Equal(s.asked, order) {
		t.Errorf("asked %v", s.asked)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestOrderOfPlaces(t *testing.T) {
	probe := []string{"POST /mcp", "GET " + prmPath}
	for name, test := range map[string]struct {
		*site
		want []string
	}{
		"root metadata": {&site{docs: map[string]string{prmRoot: goodPRM, asRoot: goodAS}},
			append(slices.Clone(probe), "GET "+prmRoot, "GET "+asRoot)},
		"OIDC": {&site{docs: map[string]string{prmPath: goodPRM, oidcRoot: goodAS}},
			append(slices.Clone(probe), "GET "+asRoot, "GET "+oidcRoot)},
		"path inserted": {&site{docs: map[string]string{prmPath: tenantPRM, asRoot + "/tenant": tenantAS}},
			append(slices.Clone(probe), "GET "+asRoot+"/tenant")},
		"path appended after a catch-all's HTML": {&site{docs: map[string]string{prmPath: tenantPRM, asRoot + "/tenant": "<!doctype html>",
			"/tenant" + oidcRoot: tenantAS}},
			append(slices.Clone(probe), "GET "+asRoot+"/tenant", "GET "+oidcRoot+"/tenant", "GET /tenant"+oidcRoot)},
		"challenge names the metadata": {&site{challenge: `Bearer resource_metadata="ORIGIN/meta"`, docs: map[string]string{"/meta": goodPRM, asRoot: goodAS}},
			[]string{"POST /mcp", "GET /meta", "GET " + asRoot}},
		"redirect on the origin": {&site{docs: map[string]string{prmPath: "redirect /meta", "/meta": goodPRM, asRoot: goodAS}},
			append(slices.Clone(probe), "GET /meta", "GET "+asRoot)},
		"legacy metadata": {&site{docs: map[string]string{asRoot: goodAS}},
			append(slices.Clone(probe), "GET "+prmRoot, "GET "+asRoot)},
		"legacy defaults": {&site{},
			append(slices.Clone(probe), "GET "+prmRoot, "GET "+asRoot, "GET "+oidcRoot)},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.site
			got, err := s.find(t)
			if err != nil {
				t.Fatal(err)
			}
			if got.Endpoints.Token != s.url+"/token" || got.Issuer != got.Endpoints.Issuer || !slices.Contains(got.Endpoints.PKCE, "S256") {
				t.Errorf("endpoints %+v", got.Endpoints)
			}
			if !slices.Equal(s.asked, test.want) {
				t.Errorf("asked %v\nwant  %v", s.asked, test.want)
			}
		})
	}
}

// A server of 2025-03-26 that publishes no protected resource metadata may call itself what it likes on its own origin.
func TestLegacyIssuer(t *testing.T) {
	for _, path := range []string{"", "/", "/oauth"} {
		s := &site{docs: map[string]string{asRoot: strings.Replace(goodAS, `"issuer":"ORIGIN"`, `"issuer":"ORIGIN`+path+`"`, 1)}}
		got, err := s.find(t)
		if err != nil || got.Issuer != s.url+path || got.Resource != s.url+"/mcp" {
			t.Errorf("%q: %+v, %v", path, got, err)
		}
	}
}

func TestScopesOfTheChallengeWin(t *testing.T) {
	s := &site{challenge: `Bearer error="invalid_token", scope="read admin"`, docs: map[string]string{prmPath: goodPRM, asRoot: goodAS}}
	got, err := s.find(t)
	if err != nil || !slices.Equal(got.Scopes, []string{"read", "admin"}) {
		t.Errorf("%v, %v", got.Scopes, err)
	}
}

func TestServersThatKnowGetOnly(t *testing.T) {
	s := &site{docs: map[string]string{"/meta": goodPRM, asRoot: goodAS}}
	s.mcp = func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("WWW-Authenticate", s.fill(`Bearer resource_metadata="ORIGIN/meta"`))
		w.WriteHeader(http.StatusUnauthorized)
	}
	if _, err := s.find(t); err != nil {
		t.Error(err)
	}
}

func TestUnusableServers(t *testing.T) {
	big := `{"resource":"` + strings.Repeat("x", 10<<20) + `"}`
	as := func(old, new string) map[string]string {
		doc := strings.Replace(goodAS, old, new, 1)
		if doc == goodAS {
			t.Fatalf("nothing to replace: %s", old)
		}
		return map[string]string{prmPath: goodPRM, asRoot: doc}
	}
	prm := func(doc string) map[string]string { return map[string]string{prmPath: doc, asRoot: goodAS} }
	for name, test := range map[string]struct {
		*site
		kind credential.Kind
		want string
	}{
		"resource of another origin":  {&site{docs: prm(`{"resource":"https://victim.example/mcp","authorization_servers":["ORIGIN"]}`)}, credential.Hostile, "victim.example"},
		"resource of a sibling":       {&site{docs: prm(`{"resource":"ORIGIN/mc","authorization_servers":["ORIGIN"]}`)}, credential.Hostile, "another resource"},
		"no resource":                 {&site{docs: prm(`{"authorization_servers":["ORIGIN"]}`)}, credential.BadAnswer, "no resource"},
		"no authorization server":     {&site{docs: prm(`{"resource":"ORIGIN/mcp"}`)}, credential.BadAnswer, "no authorization server"},
		"HTML":                        {&site{docs: prm("<html>")}, credential.BadAnswer, "JSON"},
		"wrong types":                 {&site{docs: prm(`{"resource":7}`)}, credential.BadAnswer, "JSON"},
		"10 MB":                       {&site{docs: prm(big)}, credential.BadAnswer, "larger than"},
		"10 MB of authorization":      {&site{docs: map[string]string{prmPath: goodPRM, asRoot: big}}, credential.BadAnswer, "larger than"},
		"redirect to another origin":  {&site{docs: prm("redirect https://evil.example/")}, credential.Hostile, "redirects to another origin"},
		"failing":                     {&site{docs: prm("status 503")}, credential.Network, "503"},
		"issuer not https":            {&site{docs: prm(`{"resource":"ORIGIN/mcp","authorization_servers":["http://as.example"]}`)}, credential.Hostile, "issuer"},
		"issuer with a query":         {&site{docs: prm(`{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN?x"]}`)}, credential.Hostile, "query"},
		"issuer mismatch":             {&site{docs: as(`"issuer":"ORIGIN"`, `"issuer":"https://victim.example"`)}, credential.Hostile, "belongs to the issuer https://victim.example"},
		"issuer mismatch by a slash":  {&site{docs: as(`"issuer":"ORIGIN"`, `"issuer":"ORIGIN/"`)}, credential.Hostile, "belongs to the issuer"},
		"no metadata of the issuer":   {&site{docs: map[string]string{prmPath: goodPRM}}, credential.Misconfigured, "no metadata"},
		"no token endpoint":           {&site{docs: as(`"token_endpoint":"ORIGIN/token",`, ``)}, credential.BadAnswer, "token_endpoint"},
		"javascript endpoint":         {&site{docs: as(`"ORIGIN/auth"`, `"javascript:alert(1)"`)}, credential.Hostile, "authorization_endpoint"},
		"file endpoint":               {&site{docs: as(`"ORIGIN/token"`, `"file:///etc/passwd"`)}, credential.Hostile, "token_endpoint"},
		"leading dash":                {&site{docs: as(`"ORIGIN/auth"`, `"-https://x"`)}, credential.Hostile, "authorization_endpoint"},
		"control character":           {&site{docs: as(`"ORIGIN/auth"`, `"https://x/\n"`)}, credential.Hostile, "control character"},
		"device endpoint over http":   {&site{docs: as(`"ORIGIN/device"`, `"http://x.example/d"`)}, credential.Hostile, "device_authorization_endpoint"},
		"registration endpoint":       {&site{docs: as(`"ORIGIN/register"`, `"ftp://x"`)}, credential.Hostile, "registration_endpoint"},
		"revocation endpoint":         {&site{docs: as(`"ORIGIN/revoke"`, `"x"`)}, credential.Hostile, "revocation_endpoint"},
		"scope with a quote":          {&site{docs: prm(`{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"],"scopes_supported":["a\"b"]}`)}, credential.Hostile, "scope"},
		"metadata URL not https":      {&site{challenge: `Bearer resource_metadata="http://evil.example/"`}, credential.Hostile, "resource_metadata"},
		"metadata URL is javascript:": {&site{challenge: `Bearer resource_metadata="javascript:x"`}, credential.Hostile, "resource_metadata"},
		"legacy mismatch":             {&site{docs: map[string]string{asRoot: strings.Replace(goodAS, `"issuer":"ORIGIN"`, `"issuer":"https://victim.example"`, 1)}}, credential.Hostile, "victim.example"},
		"open, without metadata":      {&site{mcp: func(http.ResponseWriter, *http.Request) {}}, credential.BadAnswer, "does not ask for a token"},
		"broken, without metadata":    {&site{mcp: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }}, credential.Network, "fails"},
		"the server redirects away":   {&site{mcp: http.RedirectHandler("https://evil.example/", http.StatusTemporaryRedirect).ServeHTTP}, credential.Hostile, "redirects to another origin"},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.site
			got, err := s.find(t)
			if credential.KindOf(err) != test.kind || err == nil {
				t.Fatalf("got %+v, %v; want kind %v", got, err, test.kind)
			}
			text := err.Error()
			if !strings.Contains(text, test.want) || len(text) > 500 || strings.ContainsAny(text, "\n\x1b") {
				t.Errorf("text %q", text)
			}
		})
	}
}

func TestConfiguration(t *testing.T) {
	s := &site{docs: map[string]string{
		prmPath: `{"resource":"api://app","authorization_servers":["https://first.example","ORIGIN"]}`, asRoot: goodAS,
	}}
	s.start(t)
	f := finder(t)
	says := Accepted{Resource: "api://app", Issuer: s.url}
	f.Accepted = func(server string) Accepted {
		if server != s.url+"/mcp" {
			t.Errorf("asked about %s", server)
		}
		return says
	}
	got, err := f.Find(t.Context(), s.url+"/mcp")
	if err != nil || got.Resource != "api://app" || got.Issuer != s.url || len(got.Issuers) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	says.MetadataURL = s.url + "/elsewhere"
	if _, err := f.Find(t.Context(), s.url+"/mcp"); err == nil {
		t.Error("the metadata is not where the configuration says")
	}
	says = Accepted{Resource: "api://app", Issuer: "https://other.example", MetadataURL: s.url + asRoot}
	if _, err := f.Find(t.Context(), s.url+"/mcp"); credential.KindOf(err) != credential.Hostile {
		t.Errorf("metadata of another issuer than the configured one: %v", err)
	}
	says = Accepted{Resource: "api://app", Issuer: "https://other.example"}
	if _, err := f.Find(t.Context(), s.url+"/mcp"); credential.KindOf(err) != credential.Hostile {
		t.Errorf("an issuer that the metadata does not name: %v", err)
	}
}

func TestNobodySendsUsToThisMachine(t *testing.T) {
	for to, ok := range map[string]bool{"http://127.0.0.1:1/": false, "https://localhost/": false, "https://as.example": true} {
		if err := checkReach("https://mcp.example/mcp", to, "issuer"); (err == nil) != ok {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	_, err := finder(t).Find(t.Context(), s.URL+"/mcp")
	if credential.KindOf(err) != credential.Network {
		t.Error(err)
	}
}

func TestMicrosoft(t *testing.T) {
	for issuer, want := range map[string]bool{
		"https://login.microsoftonline.com/tenant/v2.0":  true,
		"https://LOGIN.microsoftonline.us/common/v2.0":   true,
		"https://login.microsoftonline.com.evil.example": false,
		"https://evil.login.microsoftonline.com/x":       false,
		"https://login.microsoftonline.com:8443/x":       false,
		"http://login.microsoftonline.com/x":             false,
		"https://login.microsoftonline.com@evil.example": false,
	} {
		if Microsoft(issuer) != want {
			t.Errorf("%s: %v", issuer, !want)
		}
	}
	s := &site{docs: map[string]string{prmPath: `{"resource":"ORIGIN/mcp","authorization_servers":["https://login.microsoftonline.com/t/v2.0"],"scopes_supported":["api://app/x"]}`}}
	got, err := s.find(t)
	if err != nil || !got.Microsoft || got.Endpoints.Issuer != "https://login.microsoftonline.com/t/v2.0" || got.Endpoints.Token != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestIssuer(t *testing.T) {
	s := &site{docs: map[string]string{oidcRoot: goodAS}}
	s.start(t)
	got, err := finder(t).Issuer(t.Context(), "", s.url)
	if err != nil || got.Token != s.url+"/token" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := finder(t).Issuer(t.Context(), "", "javascript:x"); credential.KindOf(err) != credential.Hostile {
		t.Errorf("javascript: %v", err)
	}
}

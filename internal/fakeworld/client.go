package fakeworld

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Clients that exist from the start, besides those that register.
const (
	PublicClient       = "fakeworld-public"       // native, no secret, redirects to http://127.0.0.1/callback with any port
	ConfidentialClient = "fakeworld-confidential" // the same with ConfidentialSecret, and client_credentials
	ConfidentialSecret = "cs_only-for-tests-0123456789abcdef"
	KeyClient          = "fakeworld-key"      // as ConfidentialClient, with Options.ClientKey
	Workload           = "fakeworld-workload" // the client of assertions, without a secret
)

// The grant types that the token endpoint knows.
const (
	grantCode        = "authorization_code"
	grantRefresh     = "refresh_token"
	grantDevice      = "urn:ietf:params:oauth:grant-type:device_code"
	grantCredentials = "client_credentials"
	grantAssertion   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

var (
	grantTypes  = []string{grantCode, grantRefresh, grantDevice, grantCredentials}
	authMethods = []string{"none", "client_secret_basic", "client_secret_post"} // for registrations
)

// Client is an OAuth client, in the fields of RFC 7591.
type Client struct {
	ID              string   `json:"client_id,omitempty"`
	Secret          string   `json:"-"`
	Name            string   `json:"client_name,omitempty"`
	AuthMethod      string   `json:"token_endpoint_auth_method,omitempty"`
	ApplicationType string   `json:"application_type,omitempty"`
	RedirectURIs    []string `json:"redirect_uris,omitempty"`
	GrantTypes      []string `json:"grant_types,omitempty"`
	ResponseTypes   []string `json:"response_types,omitempty"`
	Scope           string   `json:"scope,omitempty"`
}

func wellKnownClients(o Options) []Client {
	public := Client{
		ID: PublicClient, AuthMethod: "none", ApplicationType: "native", ResponseTypes: []string{"code"},
		RedirectURIs: []string{"http://127.0.0.1/callback"}, GrantTypes: []string{grantCode, grantRefresh, grantDevice},
	}
	if o.Redirect != "" {
		public.RedirectURIs = []string{o.Redirect}
	}
	confidential := public
	confidential.ID, confidential.Secret, confidential.AuthMethod = ConfidentialClient, ConfidentialSecret, "client_secret_basic"
	confidential.GrantTypes = grantTypes
	if o.AuthMethod != "" && o.AuthMethod != "none" {
		confidential.AuthMethod = o.AuthMethod
	}
	if o.Trusts != "" {
		confidential.GrantTypes = append(slices.Clone(grantTypes), grantAssertion)
	}
	if o.Vouches {
		public.GrantTypes = append(slices.Clone(public.GrantTypes), grantExchange)
	}
	all := []Client{public, confidential}
	if o.ClientKey != nil {
		byKey := confidential
		byKey.ID, byKey.Secret, byKey.AuthMethod = KeyClient, "", authKey
		all = append(all, byKey)
	}
	if o.WorkloadKey != nil {
		workload := public
		workload.ID, workload.GrantTypes = Workload, []string{grantAssertion}
		all = append(all, workload)
	}
	return all
}

// client finds a client by its id, which may be the URL of a published client id metadata document.
func (w *World) client(id string) *Client {
	if c := w.tokenStore.clients[id]; c != nil {
		return c
	}
	doc, ok := w.knobs.ClientDocuments[id]
	if !ok || doc.ID != id || !strings.HasPrefix(id, "https://") {
		return nil
	}
	doc.AuthMethod, doc.ApplicationType = "none", "native"
	if doc.GrantTypes == nil {
		doc.GrantTypes = []string{grantCode, grantRefresh}
	}
	w.tokenStore.clients[id] = &doc
	return &doc
}

// authenticate finds the client of a form request and holds it to its registered method: a public client that sends a
// secret is refused like a confidential one that sends none, or sends it twice (RFC 6749 section 2.3).
func (w *World) authenticate(r *http.Request, form url.Values) (*Client, string, *oauthError) {
	id, secret, method := form.Get("client_id"), form.Get("client_secret"), "none"
	if secret != "" {
		method = "client_secret_post"
	}
	if r.Header.Get("Authorization") != "" {
		if secret != "" {
			return nil, id, refuse("invalid_request", "two ways of client authentication")
		}
		user, password, ok := r.BasicAuth()
		var err1, err2 error
		basic := ""
		basic, err1 = url.QueryUnescape(user)
		secret, err2 = url.QueryUnescape(password)
		if !ok || err1 != nil || err2 != nil || id != "" && id != basic {
			return nil, id, badClient()
		}
		id, method = basic, "client_secret_basic"
	}
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		if method != "none" {
			return nil, id, refuse("invalid_request", "two ways of client authentication")
		}
		return w.authenticateByKey(id, form)
	}
	c := w.client(id)
	if c == nil || c.AuthMethod != method || !credential.NewSecret(c.Secret).Equal(credential.NewSecret(secret)) {
		return nil, id, badClient()
	}
	return c, id, nil
}

func badClient() *oauthError {
	return &oauthError{http.StatusUnauthorized, "invalid_client", "client authentication failed"}
}

// allowsRedirect compares a redirect URI with the registered ones, byte for byte but for the port of a native client's
// loopback address (RFC 8252 section 7.3).
func (c *Client) allowsRedirect(uri string, exactPorts bool) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	if exactPorts || c.ApplicationType != "native" {
		return false
	}
	bare, ok := withoutPort(uri)
	return ok && slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		r, ok := withoutPort(registered)
		return ok && r == bare
	})
}

// withoutPort drops the port of an http URL on a loopback address; a name such as localhost does not count.
func withoutPort(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" {
		return "", false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil || !ip.IsLoopback() {
		return "", false
	}
	u.Host = ip.String()
	return u.String(), true
}

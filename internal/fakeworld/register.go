package fakeworld

import (
	"crypto/rand"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// register serves dynamic client registration (RFC 7591 section 3).
func (w *World) register(rw http.ResponseWriter, r *http.Request) {
	if w.opt.NoRegistration || r.Method != http.MethodPost {
		http.NotFound(rw, r)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c, oe := w.parseClient(r)
	if oe != nil {
		oe.write(rw)
		return
	}
	w.stats.Registrations++
	w.stats.RegisterRequests = append(w.stats.RegisterRequests, *c)
	c.ID = "client-" + rand.Text()
	w.tokenStore.clients[c.ID] = c
	doc := map[string]any{
		"client_id": c.ID, "client_id_issued_at": w.now().Unix(), "client_name": c.Name,
		"token_endpoint_auth_method": c.AuthMethod, "application_type": c.ApplicationType,
		"redirect_uris": c.RedirectURIs, "grant_types": c.GrantTypes, "response_types": c.ResponseTypes,
	}
	if c.AuthMethod != "none" {
		c.Secret = w.tokenStore.secret("cs_")
		doc["client_secret"], doc["client_secret_expires_at"] = c.Secret, 0
	}
	WriteJSON(rw, http.StatusCreated, Override(doc, w.knobs.Registration))
}

func (w *World) parseClient(r *http.Request) (*Client, *oauthError) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return nil, refuse("invalid_client_metadata", "the body is not JSON")
	}
	c := &Client{AuthMethod: "client_secret_basic", ApplicationType: "web", GrantTypes: []string{grantCode}, ResponseTypes: []string{"code"}}
	if err := json.NewDecoder(r.Body).Decode(c); err != nil {
		return nil, refuse("invalid_client_metadata", "the body is not a client")
	}
	if w.opt.AuthMethod != "" {
		c.AuthMethod = w.opt.AuthMethod
	}
	switch {
	case c.ID != "":
		return nil, refuse("invalid_client_metadata", "client_id is ours to choose")
	case !slices.Contains(authMethods, c.AuthMethod):
		return nil, refuse("invalid_client_metadata", "token_endpoint_auth_method is unknown")
	case !credential.HasScopes(grantTypes, c.GrantTypes):
		return nil, refuse("invalid_client_metadata", "a grant type is unknown")
	case !slices.Equal(c.ResponseTypes, responseTypes(c)):
		return nil, refuse("invalid_client_metadata", "the response types do not fit the grant types")
	case !credential.HasScopes(w.opt.Scopes, strings.Fields(c.Scope)):
		return nil, refuse("invalid_client_metadata", "a scope is unknown")
	case slices.Contains(c.GrantTypes, grantCode) && len(c.RedirectURIs) == 0:
		return nil, refuse("invalid_redirect_uri", "redirect_uris is missing")
	}
	for _, uri := range c.RedirectURIs {
		if !redirectFits(c.ApplicationType, uri) {
			return nil, refuse("invalid_redirect_uri", "a redirect URI does not suit an application_type of "+c.ApplicationType)
		}
	}
	return c, nil
}

// responseTypes are those that the grant types bring (RFC 7591 section 2.1): the device grant has none.
func responseTypes(c *Client) []string {
	if slices.Contains(c.GrantTypes, grantCode) {
		return []string{"code"}
	}
	return []string{}
}

// redirectFits holds native clients to http on loopback and web clients, the default, to https elsewhere, as OpenID
// Connect Dynamic Registration section 2 has it.
func redirectFits(applicationType, uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return false
	}
	loopback := credential.Loopback(u.Hostname())
	switch applicationType {
	case "native":
		return u.Scheme == "http" && loopback
	case "web":
		return u.Scheme == "https" && !loopback
	}
	return false
}

package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
)

// deviceGrant is the grant type of RFC 8628.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// maxClientID bounds a client ID that a server makes up, in bytes.
const maxClientID = 2048

// client returns who signs in, in the order of the MCP specification: the client that the user or an earlier sign-in
// gave (a plain ID, or the https URL of a client id metadata document), else a new registration, else the question.
func (s *Source) client(ctx context.Context, t credential.Target, ui source.UI, redirect string) (client, error) {
	switch {
	case strings.HasPrefix(t.ClientID, "https://") && !t.Endpoints.ClientIDDocs:
		return client{}, credential.Fail(credential.Misconfigured, "the client ID is the URL of a metadata document, which the authorization server does not support", nil)
	case t.ClientID != "":
		return newClient(t, t.ClientID, t.Secret, t.AuthMethod)
	case t.Endpoints.Registration == "":
		return client{}, credential.Fail(credential.Misconfigured, "the authorization server does not register clients by itself; give it a client ID with --client-id: docs/servers.md", nil)
	}
	c, err := s.register(ctx, t, redirect)
	if err != nil {
		return client{}, err
	}
	return c, ui.Registered(c.id, c.secret)
}

// registration is what we say about ourselves (RFC 7591 section 2).
type registration struct {
	Name            string   `json:"client_name"`
	ApplicationType string   `json:"application_type"` // native: any port of the loopback redirect (RFC 8252 section 7.3)
	RedirectURIs    []string `json:"redirect_uris,omitempty"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	Scope           string   `json:"scope,omitempty"`
	Bound           bool     `json:"dpop_bound_access_tokens,omitempty"` // RFC 9449 section 5.2
}

// newRegistration describes a client for the code flow, or for the device flow where redirect is empty.
func newRegistration(t credential.Target, redirect string) registration {
	r := registration{
		Name: "mcp-credential", ApplicationType: "native", AuthMethod: registrable(t.Endpoints.AuthMethods),
		RedirectURIs: []string{redirect}, GrantTypes: []string{"authorization_code"}, ResponseTypes: []string{"code"},
		Scope: registrableScope(wanted(t), t.Endpoints.Scopes), Bound: t.Bound,
	}
	if redirect == "" {
		r.RedirectURIs, r.GrantTypes, r.ResponseTypes = nil, []string{deviceGrant}, []string{}
	}
	if types := t.Endpoints.GrantTypes; len(types) == 0 || slices.Contains(types, "refresh_token") {
		r.GrantTypes = append(r.GrantTypes, "refresh_token")
	}
	return r
}

// registrable picks the authentication to register with: none, for a program on a person's machine keeps no secret,
// unless the server only knows others.
func registrable(supported []string) string {
	for _, method := range []string{authNone, authBasic, authPost} {
		if slices.Contains(supported, method) {
			return method
		}
	}
	return authNone
}

// registrableScope names the scopes only where that can be right: the MCP Python SDK refuses a scope at sign-in that
// the registration lacks, and oidc-provider refuses a registration with a scope that its metadata does not list.
func registrableScope(wanted, listed []string) string {
	if len(listed) > 0 && !credential.HasScopes(listed, wanted) {
		return ""
	}
	return strings.Join(wanted, " ")
}

func (s *Source) register(ctx context.Context, t credential.Target, redirect string) (client, error) {
	s.Trace("registering a client at " + credential.Origin(t.Endpoints.Registration))
	ctx, cancel := context.WithTimeout(ctx, credential.HTTPMetadata)
	defer cancel()
	body, err := json.Marshal(newRegistration(t, redirect))
	if err != nil {
		return client{}, credential.Fail(credential.Internal, "cannot write the registration", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Endpoints.Registration, bytes.NewReader(body))
	if err != nil {
		return client{}, credential.Fail(credential.Misconfigured, "the registration endpoint cannot be requested", nil)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := s.Client.Do(req)
	if err != nil {
		return client{}, webclient.Failure(err, "authorization server")
	}
	answer, err := webclient.ReadBody(resp, maxReply)
	if err != nil {
		return client{}, err
	}
	return s.registered(newReply(resp, answer), t)
}

// registered judges the answer. The server may register another authentication than asked for (RFC 7591 section
// 3.2.1), and where it gives a secret without saying how to use it, newClient chooses.
func (s *Source) registered(r reply, t credential.Target) (client, error) {
	if !r.ok() {
		e := r.refusal(s.Now())
		if e.Kind == credential.Refused { // signing in again would be refused again
			e.Kind = credential.Misconfigured
		}
		e.Text += " when asked to register a client; a client ID can be given with --client-id"
		return client{}, e
	}
	id := r.text("client_id")
	if id == "" || len(id) > maxClientID || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c > 0x7e }) {
		return client{}, credential.Fail(credential.Hostile, "the authorization server registered a client without a usable client ID", nil)
	}
	return newClient(t, id, credential.NewSecret(r.text("client_secret")), r.text("token_endpoint_auth_method"))
}

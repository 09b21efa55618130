package entra

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// pipelinesVersion is the version of Azure DevOps' OIDC service that azidentity speaks.
const pipelinesVersion = "7.1"

// maxAssertion bounds the answer of an OIDC service in bytes.
const maxAssertion = 64 << 10

// audiences are what federated tokens are made for, by sign-in host; elsewhere it is publicAudience (Microsoft's
// "Workload identity federation").
var audiences = map[string]string{
	"login.microsoftonline.us":         "api://AzureADTokenExchangeUSGov",
	"login.partner.microsoftonline.cn": "api://AzureADTokenExchangeChina",
}

const publicAudience = "api://AzureADTokenExchange"

// assertion fetches the token of another issuer that vouches for this process (RFC 7523 section 2.2).
func (m *Machine) assertion(ctx context.Context) (credential.Secret, error) {
	switch m.Kind {
	case GitHub:
		return m.gitHub(ctx)
	case Pipelines:
		return m.pipelines(ctx)
	}
	return readText(first(m.id.FederatedTokenFile, m.getenv, "AZURE_FEDERATED_TOKEN_FILE"), "federated token file")
}

// gitHub asks GitHub Actions' OIDC service ("OpenID Connect reference" in GitHub's documentation).
func (m *Machine) gitHub(ctx context.Context) (credential.Secret, error) {
	audience := audiences[m.authority.Host]
	audience = cmp.Or(audience, publicAudience)
	return m.federated(ctx, service{
		name: "OIDC service of GitHub Actions", method: http.MethodGet, url: m.getenv("ACTIONS_ID_TOKEN_REQUEST_URL"),
		query: url.Values{"audience": {audience}}, bearer: credential.NewSecret(m.getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")), member: "value",
	})
}

// pipelines asks Azure DevOps for a token of the service connection.
func (m *Machine) pipelines(ctx context.Context) (credential.Secret, error) {
	return m.federated(ctx, service{
		name: "OIDC service of Azure Pipelines", method: http.MethodPost, url: m.getenv("SYSTEM_OIDCREQUESTURI"),
		query:  url.Values{"api-version": {pipelinesVersion}, "serviceConnectionId": {m.getenv("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")}},
		bearer: credential.NewSecret(m.getenv("SYSTEM_ACCESSTOKEN")), member: "oidcToken",
	})
}

// service is one request to an OIDC service of a CI system.
type service struct {
	name, method, url string
	query             url.Values
	bearer            credential.Secret
	member            string // of the answer
}

// request builds it; the URL must be https, or http on this machine.
func (s service) request(ctx context.Context) (*http.Request, error) {
	u, err := url.Parse(s.url)
	if err != nil || credential.CheckEndpoint(s.url, "URL") != nil {
		return nil, misconfigured("the URL of the " + s.name + " in the environment is not one that a token may be sent to")
	}
	query := u.Query()
	for name, values := range s.query {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, s.method, u.String(), nil)
	if err != nil {
		return nil, misconfigured("the URL of the " + s.name + " cannot be requested")
	}
	r.Header.Set("Authorization", "Bearer "+s.bearer.Reveal())
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-TFS-FedAuthRedirect", "Suppress") // else Azure DevOps answers a refused token with a sign-in page
	return r, nil
}

// federated asks an OIDC service, within credential.HTTPMetadata.
func (m *Machine) federated(ctx context.Context, s service) (credential.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, credential.HTTPMetadata)
	defer cancel()
	r, err := s.request(ctx)
	if err != nil {
		return credential.Secret{}, err
	}
	m.source.Trace("asking the " + s.name)
	resp, err := m.source.Client.Do(r)
	if err != nil {
		return credential.Secret{}, webclient.Failure(err, s.name)
	}
	body, err := webclient.ReadBody(resp, maxAssertion)
	if err != nil {
		return credential.Secret{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return credential.Secret{}, m.refused(s.name, resp)
	}
	var members map[string]json.RawMessage
	var token string
	_ = json.Unmarshal(body, &members) // what cannot be read is absent
	_ = json.Unmarshal(members[s.member], &token)
	if strings.Count(token, ".") != 2 {
		return credential.Secret{}, credential.Fail(credential.Refused, "the "+s.name+" answered without a token", nil)
	}
	return credential.NewSecret(token), nil
}

// refused says what the status of an endpoint that is not Entra's means.
func (m *Machine) refused(name string, resp *http.Response) error {
	status := strconv.Itoa(resp.StatusCode)
	wait, _ := webclient.RetryAfter(resp.Header.Get("Retry-After"), m.source.Now())
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 && wait > 0:
		return &credential.Error{Kind: credential.Throttled, Text: "the " + name + " asks to wait", RetryAfter: cmp.Or(wait, leastRest)}
	case resp.StatusCode >= 500:
		return credential.Fail(credential.Network, "the "+name+" fails with status "+status, nil)
	}
	return misconfigured("the " + name + " refuses with status " + status + "; check what the job may do: docs/ci.md")
}

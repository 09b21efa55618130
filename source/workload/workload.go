// Package workload fetches the token by which another issuer vouches for this process: from a file, as Kubernetes mounts it, or
// from the OIDC service of a CI system. What it is exchanged for, and where, is left to the sources.
package workload

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
)

// pipelinesVersion is the version of Azure DevOps' OIDC service that azidentity speaks.
const pipelinesVersion = "7.1"

// maxAssertion bounds the answer of an OIDC service in bytes.
const maxAssertion = 64 << 10

// leastRest is how long to leave a service alone that does not say.
const leastRest = 30 * time.Second

// File reads the token from a file, which is replaced while processes run. Errors are of kind Misconfigured.
func File(path string) (credential.Secret, error) {
	data, err := source.ReadFile(path, "federated token file")
	return credential.NewSecret(strings.TrimSpace(string(data))), err
}

// GitHub asks GitHub Actions' OIDC service for a token for an audience ("OpenID Connect reference" in GitHub's
// documentation), with what the job's environment has for it.
func GitHub(ctx context.Context, c source.Config, getenv func(string) string, audience string) (credential.Secret, error) {
	return ask(ctx, c, service{
		name: "OIDC service of GitHub Actions", method: http.MethodGet, url: getenv("ACTIONS_ID_TOKEN_REQUEST_URL"),
		query: url.Values{"audience": {audience}}, bearer: credential.NewSecret(getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")), member: "value",
	})
}

// Pipelines asks Azure DevOps for a token of the job's service connection.
func Pipelines(ctx context.Context, c source.Config, getenv func(string) string) (credential.Secret, error) {
	return ask(ctx, c, service{
		name: "OIDC service of Azure Pipelines", method: http.MethodPost, url: getenv("SYSTEM_OIDCREQUESTURI"),
		query:  url.Values{"api-version": {pipelinesVersion}, "serviceConnectionId": {getenv("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")}},
		bearer: credential.NewSecret(getenv("SYSTEM_ACCESSTOKEN")), member: "oidcToken",
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

// ask asks an OIDC service, within credential.HTTPMetadata.
func ask(ctx context.Context, c source.Config, s service) (credential.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, credential.HTTPMetadata)
	defer cancel()
	r, err := s.request(ctx)
	if err != nil {
		return credential.Secret{}, err
	}
	c.Trace("asking the " + s.name)
	resp, err := c.Client.Do(r)
	if err != nil {
		return credential.Secret{}, webclient.Failure(err, s.name)
	}
	body, err := webclient.ReadBody(resp, maxAssertion)
	if err != nil {
		return credential.Secret{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return credential.Secret{}, Refused(c.Now(), s.name, resp)
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

// Refused says what the status of a service of the machine means, other than 200. Errors are of kind Throttled, Network or Misconfigured.
func Refused(now time.Time, name string, resp *http.Response) error {
	status := strconv.Itoa(resp.StatusCode)
	wait, _ := webclient.RetryAfter(resp.Header.Get("Retry-After"), now)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 && wait > 0:
		return &credential.Error{Kind: credential.Throttled, Text: "the " + name + " asks to wait", RetryAfter: cmp.Or(wait, leastRest)}
	case resp.StatusCode >= 500:
		return credential.Fail(credential.Network, "the "+name+" fails with status "+status, nil)
	}
	return misconfigured("the " + name + " refuses with status " + status + "; check what the job may do: docs/ci.md")
}

func misconfigured(text string) error { return credential.Fail(credential.Misconfigured, text, nil) }

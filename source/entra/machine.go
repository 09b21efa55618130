package entra

import (
	"cmp"
	"context"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/datakey"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
	"github.com/mcp-credential/mcp-credential/source/workload"
)

// Machine gets tokens for a process that is its own identity. Make one with Source.Identify.
type Machine struct {
	Kind     string
	Issuer   string // empty for a managed identity, which knows its own
	ClientID string // empty: the system-assigned managed identity
	Scopes   []string

	source    *Source
	authority microsoft.Authority
	id        Identity
	getenv    func(string) string
}

// Token makes one token request, after one to whoever vouches for the process where the identity is federated. Files are
// read anew each time, because they are renewed while processes run. Of t it uses the claims, the resource and the
// issuer. Errors are those of source.Source, and Misconfigured for files.
func (m *Machine) Token(ctx context.Context, t credential.Target) (credential.Token, error) {
	if m.Kind == Managed {
		return m.managed(ctx, t)
	}
	proof, err := m.proof(ctx)
	if err != nil {
		return credential.Token{}, err
	}
	c := &msalTransport{Source: m.source, authority: m.authority, scopes: m.Scopes, keep: func(credential.Secret) error { return nil }}
	app, err := confidential.New(m.authority.String(), m.ClientID, proof, confidential.WithHTTPClient(c), confidential.WithX5C(),
		confidential.WithInstanceDiscovery(false), confidential.WithClientCapabilities([]string{"cp1"}),
		confidential.WithAzureRegion("DisableMsalForceRegion")) // a region has a host of its own, which no list has judged
	if err == nil {
		_, err = app.AcquireTokenByCredential(ctx, m.Scopes, confidential.WithClaims(t.Claims))
	}
	a, err := c.answer(t, err)
	return a.Token, machineRefusal(err)
}

// proof makes what MSAL shows of the identity: secret, certificate or assertion.
func (m *Machine) proof(ctx context.Context) (confidential.Credential, error) {
	switch m.Kind {
	case Secret:
		secret, err := m.secret()
		if err != nil {
			return confidential.Credential{}, err
		}
		return confidential.NewCredFromSecret(secret.Reveal())
	case Certificate:
		c, err := m.certificate()
		if err != nil {
			return confidential.Credential{}, err
		}
		return c.credential()
	}
	assertion, err := m.assertion(ctx)
	return confidential.NewCredFromAssertionCallback(func(context.Context, confidential.AssertionRequestOptions) (string, error) {
		return assertion.Reveal(), nil
	}), err
}

// Key derives a data key from the secret that the process holds: a client secret that is long enough, or the private key
// of its certificate. The other kinds hold nothing that stays, and get the zero Secret.
func (m *Machine) Key(salt []byte) (credential.Secret, error) {
	switch m.Kind {
	case Secret:
		secret, err := m.secret()
		if err != nil {
			return credential.Secret{}, err
		}
		return datakey.Derive([]byte(secret.Reveal()), salt)
	case Certificate:
		c, err := m.certificate()
		if err != nil {
			return credential.Secret{}, err
		}
		return c.dataKey(salt)
	}
	return credential.Secret{}, nil
}

// secret is the client secret, from the file where one is named.
func (m *Machine) secret() (credential.Secret, error) {
	if m.id.SecretFile == "" {
		return credential.NewSecret(m.getenv("AZURE_CLIENT_SECRET")), nil
	}
	return readText(m.id.SecretFile, "client secret file")
}

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
		return workload.GitHub(ctx, m.source.Config, m.getenv, cmp.Or(audiences[m.authority.Host], publicAudience))
	case Pipelines:
		return workload.Pipelines(ctx, m.source.Config, m.getenv)
	}
	return workload.File(first(m.id.FederatedTokenFile, m.getenv, "AZURE_FEDERATED_TOKEN_FILE"))
}

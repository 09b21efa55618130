package entra

import (
	"context"
	"errors"
	"strings"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/datakey"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
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
	c := &conversation{Source: m.source, authority: m.authority, scopes: m.Scopes, keep: func(credential.Secret) error { return nil }}
	app, err := confidential.New(m.authority.String(), m.ClientID, proof, confidential.WithHTTPClient(c), confidential.WithX5C(),
		confidential.WithInstanceDiscovery(false), confidential.WithClientCapabilities([]string{"cp1"}),
		confidential.WithAzureRegion("DisableMsalForceRegion")) // a region has a host of its own, which no list has judged
	if err == nil {
		_, err = app.AcquireTokenByCredential(ctx, m.Scopes, confidential.WithClaims(t.Claims))
	}
	a, err := c.answer(t, err)
	return a.Token, unmanned(err)
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

// machineCodes say about an app what the table of codes says about people, or leaves out.
var machineCodes = map[string]meaning{
	"AADSTS7000218": {credential.Misconfigured, "Entra ID wants a client secret or a certificate for this client"},
	"AADSTS7000229": {credential.Misconfigured, "the tenant has no service principal for this client: an administrator must add it; check AZURE_CLIENT_ID and AZURE_TENANT_ID"},
	"AADSTS501051":  {credential.Misconfigured, "the app of the server demands an assignment: an administrator must assign one of its app roles to this client"},
	"AADSTS1002012": {credential.Misconfigured, "the scope of a machine identity must end with /.default"},
	"AADSTS700024":  {credential.Misconfigured, "the assertion is not valid now; check the clock of this machine and the age of the federated token"},
	"AADSTS700211":  {credential.Misconfigured, "no federated credential of the registration fits the issuer of the assertion"},
	"AADSTS700212":  {credential.Misconfigured, "no federated credential of the registration fits the audience of the assertion"},
	"AADSTS700238":  {credential.Misconfigured, "a policy of the tenant does not allow the issuer of the assertion"},
	"AADSTS50027":   {credential.Misconfigured, "the assertion is malformed or expired; check the federated token"},
	"AADSTS700025":  {credential.Misconfigured, "the registration of this client is public: a secret or certificate cannot be used with it"},
	"AADSTS53003":   {credential.Refused, "a Conditional Access policy for workload identities blocks this client: ask the administrator of the tenant"},
	"AADSTS530035":  {credential.Refused, "security defaults of the tenant block this client: ask the administrator of the tenant"},
	"AADSTS90094":   {credential.Misconfigured, "an administrator of the tenant must consent to the application permissions of this client: docs/entra.md"},
	"AADSTS65001":   {credential.Misconfigured, "an administrator of the tenant must consent to the application permissions of this client: docs/entra.md"},
	"AADSTS700016":  {credential.Misconfigured, "the tenant does not know this client; check AZURE_CLIENT_ID and AZURE_TENANT_ID, or client_id and tenant"},
	"AADSTS90002":   {credential.Misconfigured, "there is no such tenant; check AZURE_TENANT_ID, --tenant or tenant"},
	"AADSTS7000222": {credential.Misconfigured, "the client secret has expired; make a new one and set AZURE_CLIENT_SECRET or client_secret_file"},
	"AADSTS7000215": {credential.Misconfigured, "the client secret is wrong; set AZURE_CLIENT_SECRET or client_secret_file to the secret's value and not its id"},
	"AADSTS500011":  {credential.Misconfigured, "the tenant does not know the app of the scope; check --scope or scopes, and the tenant"},
	"AADSTS70011":   {credential.Misconfigured, "the scope is malformed; check --scope or scopes"},
	"AADSTS700027":  {credential.Misconfigured, "the client certificate is not one of the registration's, or its key does not fit; upload it there, or check AZURE_CLIENT_CERTIFICATE_PATH"},
	"AADSTS700213":  {credential.Misconfigured, "no federated credential of the registration fits the subject of the assertion: compare it with the repository, branch, service account or service connection"},
}

// reference is the part of a refusal's text that an administrator needs: the last brackets.
func reference(text string) string {
	if at := strings.LastIndex(text, " ("); at >= 0 {
		return text[at:]
	}
	return ""
}

// unmanned puts an error of the shared table into the terms of a process without a person: nobody can sign in again or
// prove more.
func unmanned(err error) error {
	var e *credential.Error
	if !errors.As(err, &e) {
		return err
	}
	if known, ok := machineCodes[e.Code]; ok {
		e.Kind, e.Text = known.kind, known.text+reference(e.Text)
		return err
	}
	switch e.Kind {
	case credential.SignInDead, credential.StepUp, credential.NoSignIn:
		e.Kind, e.Text = credential.Refused, "Entra ID does not give this identity a token"+reference(e.Text)
	}
	return err
}

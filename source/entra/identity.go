package entra

import (
	"net/url"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
)

// The kinds of machine identity, in the order in which the environment is searched for one that is complete: that of
// azidentity's DefaultAzureCredential, with the two OIDC services of CI systems before the identity of the machine.
const (
	Secret      = "secret"      // client secret
	Certificate = "certificate" // client certificate with its key
	Workload    = "workload"    // a file with a token of another issuer, as Kubernetes mounts it
	GitHub      = "github"      // GitHub Actions' OIDC service
	Pipelines   = "pipelines"   // Azure Pipelines' OIDC service, for a service connection
	Managed     = "managed"     // managed identity of a VM, an App Service and the like
)

// Kinds returns them in that order.
func Kinds() []string { return []string{Secret, Certificate, Workload, GitHub, Pipelines, Managed} }

// Identity is what flags and configuration say about a machine identity. What they leave out comes from the environment,
// under the names that Azure's own tools use; nothing comes from a server. A file goes before a variable, because hosts
// take variables out of a helper's environment.
type Identity struct {
	Kind                string // empty: the first kind that the environment describes
	Server              string // who it is for, in errors
	Tenant              string
	Issuer              string
	ClientID            string
	Scopes              []string
	SecretFile          string
	CertificateFile     string
	CertificatePassFile string
	FederatedTokenFile  string
}

// need is one thing that an identity of some kind cannot do without.
type need struct {
	value string
	name  string // of the variable, and of the setting
}

// candidate is one kind with what the environment and the settings have for it.
type candidate struct {
	kind    string
	present bool // something that no other kind has
	needs   []need
}

// Identify finds the machine identity that id and the environment describe; nil: they describe none. It reads no file
// and asks nobody. Errors are of kind Misconfigured and name what is missing or wrong.
func (s *Source) Identify(id Identity, getenv func(string) string) (*Machine, error) {
	if id.Kind == "" && id.Issuer != "" && !microsoft.SignInHost(id.Issuer) {
		return nil, nil // the environment speaks of Entra ID, and this server's configuration does not
	}
	if env := first("", getenv, "AZURE_CLIENT_ID", "AZURESUBSCRIPTION_CLIENT_ID"); id.Kind == "" && id.ClientID != "" && env != "" && id.ClientID != env {
		return nil, nil // another client is asked for than the one that the environment can prove
	}
	kind, err := choose(id, getenv)
	if kind == "" || err != nil {
		return nil, err
	}
	m := &Machine{source: s, Kind: kind, id: id, getenv: getenv, ClientID: clientOf(kind, id, getenv)}
	scope, err := appScope(id)
	if err != nil {
		return nil, err
	}
	m.Scopes = []string{scope}
	if kind != Managed {
		if m.authority, err = authority(kind, id, getenv); err != nil {
			return nil, err
		}
		m.Issuer = m.authority.Issuer()
	}
	return m, nil
}

// choose returns the kind that is asked for, else the first that is complete, else what the first incomplete one lacks.
func choose(id Identity, getenv func(string) string) (string, error) {
	var half error
	for _, c := range candidates(id, getenv) {
		if id.Kind != "" && id.Kind != c.kind || id.Kind == "" && !c.present {
			continue
		}
		err := c.missing()
		if err == nil {
			return c.kind, nil
		}
		if half == nil {
			half = err
		}
	}
	if half == nil && getenv("AZURE_CLIENT_ID") != "" && getenv("AZURE_TENANT_ID") != "" {
		half = unproven(getenv)
	}
	return "", half
}

func candidates(id Identity, getenv func(string) string) []candidate {
	tenant := need{id.Tenant + issuerTenant(id.Issuer) + getenv("AZURE_TENANT_ID"), "AZURE_TENANT_ID, --tenant or tenant"}
	app := need{id.ClientID + getenv("AZURE_CLIENT_ID"), "AZURE_CLIENT_ID, --client-id or client_id"}
	secret := need{id.SecretFile + getenv("AZURE_CLIENT_SECRET"), "AZURE_CLIENT_SECRET or client_secret_file"}
	certificate := need{id.CertificateFile + getenv("AZURE_CLIENT_CERTIFICATE_PATH"), "AZURE_CLIENT_CERTIFICATE_PATH or certificate_file"}
	file := need{id.FederatedTokenFile + getenv("AZURE_FEDERATED_TOKEN_FILE"), "AZURE_FEDERATED_TOKEN_FILE or federated_token_file"}
	gitHub := need{getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), "ACTIONS_ID_TOKEN_REQUEST_URL (the job needs permissions: id-token: write)"}
	pipelines := need{getenv("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"), "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"}
	return []candidate{
		{Secret, secret.value != "", []need{tenant, app, secret}},
		{Certificate, certificate.value != "", []need{tenant, app, certificate}},
		{Workload, file.value != "", []need{tenant, app, file}},
		{GitHub, gitHub.value != "" && tenant.value+app.value != "", []need{tenant, app, gitHub,
			{getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"), "ACTIONS_ID_TOKEN_REQUEST_TOKEN"}}},
		{Pipelines, pipelines.value != "", []need{
			{getenv("AZURESUBSCRIPTION_TENANT_ID") + tenant.value, "AZURESUBSCRIPTION_TENANT_ID or " + tenant.name},
			{getenv("AZURESUBSCRIPTION_CLIENT_ID") + app.value, "AZURESUBSCRIPTION_CLIENT_ID or " + app.name},
			pipelines, {getenv("SYSTEM_OIDCREQUESTURI"), "SYSTEM_OIDCREQUESTURI"},
			{getenv("SYSTEM_ACCESSTOKEN"), "SYSTEM_ACCESSTOKEN (the step needs env: SYSTEM_ACCESSTOKEN: $(System.AccessToken))"}}},
		{Managed, getenv("IDENTITY_ENDPOINT")+getenv("MSI_ENDPOINT") != "", managedNeeds(getenv)},
	}
}

// managedNeeds: without its header the endpoint of an App Service is not one, and IMDS would be asked, which is not
// there. Azure Arc has IMDS_ENDPOINT instead.
func managedNeeds(getenv func(string) string) []need {
	if getenv("IDENTITY_ENDPOINT") == "" || getenv("IMDS_ENDPOINT") != "" {
		return nil
	}
	return []need{{getenv("IDENTITY_HEADER"), "IDENTITY_HEADER"}}
}

func (c candidate) missing() error {
	var names []string
	for _, n := range c.needs {
		if n.value == "" {
			names = append(names, n.name)
		}
	}
	if names == nil {
		return nil
	}
	return misconfigured("the machine identity (" + c.kind + ") is incomplete; missing: " + strings.Join(names, "; ") + scrubbed)
}

// scrubbed reminds of why a variable that was set is not there.
const scrubbed = "; hosts take such variables out of a helper's environment, and nothing out of config.toml: docs/ci.md"

func unproven(getenv func(string) string) error {
	if getenv("GITHUB_ACTIONS") != "" {
		return misconfigured("AZURE_CLIENT_ID and AZURE_TENANT_ID are set, but nothing proves that identity; in GitHub Actions the job needs permissions: id-token: write" + scrubbed)
	}
	return misconfigured("AZURE_CLIENT_ID and AZURE_TENANT_ID are set, but nothing proves that identity; " +
		"missing: AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or AZURE_FEDERATED_TOKEN_FILE" + scrubbed)
}

// clientOf is the application; the one of a service connection belongs to it. A managed identity without one is the
// system-assigned one.
func clientOf(kind string, id Identity, getenv func(string) string) string {
	names := []string{"AZURE_CLIENT_ID"}
	if kind == Pipelines {
		names = []string{"AZURESUBSCRIPTION_CLIENT_ID", "AZURE_CLIENT_ID"}
	}
	return first(id.ClientID, getenv, names...)
}

func authority(kind string, id Identity, getenv func(string) string) (microsoft.Authority, error) {
	issuer, tenant := first(id.Issuer, getenv, "AZURE_AUTHORITY_HOST"), id.Tenant
	if tenant == "" && issuerTenant(issuer) == "" {
		names := []string{"AZURE_TENANT_ID"}
		if kind == Pipelines {
			names = []string{"AZURESUBSCRIPTION_TENANT_ID", "AZURE_TENANT_ID"}
		}
		tenant = first("", getenv, names...)
	}
	a, err := microsoft.ParseAuthority(issuer, tenant)
	if err != nil {
		return a, err
	}
	switch a.Tenant {
	case "common", "organizations", "consumers":
		return a, misconfigured("a service principal signs in to one tenant: set AZURE_TENANT_ID, --tenant or tenant to its GUID or domain instead of " + a.Tenant)
	}
	return a, nil
}

// issuerTenant is the tenant that an issuer names, or "".
func issuerTenant(issuer string) string {
	a, err := microsoft.ParseAuthority(issuer, "")
	if err != nil {
		return ""
	}
	return a.Tenant
}

func first(value string, getenv func(string) string, names ...string) string {
	for _, name := range names {
		if value == "" {
			value = getenv(name)
		}
	}
	return value
}

// appScope is what to ask for: all application permissions of one app, which is the only thing that Entra gives an app
// (AADSTS1002012). An App ID URI by itself means that; the name of a permission is refused, so that nobody believes to
// get that one alone.
func appScope(id Identity) (string, error) {
	scopes := microsoft.Resource(id.Scopes)
	switch {
	case len(scopes) == 0:
		return "", misconfigured("no scope is known for " + id.Server + "; name it with --scope api://APP/.default, or as scopes in config.toml")
	case len(scopes) > 1:
		return "", misconfigured("a machine identity asks for one app at a time; set --scope or scopes to one api://APP/.default")
	case strings.HasSuffix(scopes[0], "/.default"):
		return scopes[0], nil
	case appAlone(scopes[0]):
		return scopes[0] + "/.default", nil
	}
	shown := credential.Printable(scopes[0], 120)
	return "", misconfigured("a machine identity gets all application permissions of an app at once; instead of " + shown +
		" ask for its App ID URI with /.default behind it, such as " + credential.Printable(microsoft.App(scopes[0]), 120) + "/.default")
}

// appAlone reports whether a scope is an app and no permission of it: a GUID, or a URI without a path.
func appAlone(scope string) bool {
	if microsoft.CheckTenant(scope) == nil && strings.Count(scope, "-") == 4 {
		return true
	}
	u, err := url.Parse(scope)
	return err == nil && u.Scheme != "" && u.Host != "" && strings.Trim(u.Path, "/") == ""
}

func misconfigured(text string) error { return credential.Fail(credential.Misconfigured, text, nil) }

package entra

import (
	"errors"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

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

// machineRefusal puts an error of the shared table into the terms of a process without a person: nobody can sign in again or
// prove more.
func machineRefusal(err error) error {
	var e *credential.Error
	if !errors.As(err, &e) || e.Kind == credential.Throttled {
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

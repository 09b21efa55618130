package protocol

import (
	"io"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
)

// azureAnswer is what "az account get-access-token" prints, keys in its order. expires_on is in seconds since 1970; expiresOn is the
// same in the time zone of this machine, for callers from before Azure CLI 2.54.
type azureAnswer struct {
	AccessToken  string `json:"accessToken"`
	ExpiresOn    string `json:"expiresOn,omitempty"`
	Expires      int64  `json:"expires_on,omitempty"`
	Subscription string `json:"subscription"`
	Tenant       string `json:"tenant"`
	TokenType    string `json:"tokenType"`
}

// encodeAzure writes the answer of the Azure CLI. A subscription is nothing that we know of; the tenant is that of an issuer
// of Entra ID, else empty. The expiry is left out where it is unknown.
func encodeAzure(w io.Writer, _ Request, t credential.Token) error {
	token, err := bearer(t)
	if err != nil {
		return err
	}
	answer := azureAnswer{AccessToken: token, Tenant: tenant(t.Issuer), TokenType: "Bearer"}
	if !t.Expiry.IsZero() {
		answer.ExpiresOn, answer.Expires = t.Expiry.Truncate(time.Second).Local().Format("2006-01-02 15:04:05.000000"), t.Expiry.Unix()
	}
	return writeJSON(w, answer)
}

// tenant is the tenant in an issuer of Entra ID, and "" for any other issuer.
func tenant(issuer string) string {
	if issuer == "" {
		return ""
	}
	authority, err := microsoft.ParseAuthority(issuer, "")
	if err != nil {
		return ""
	}
	return authority.Tenant
}

// AzureResource returns the resource (App ID URI) that --scope of the Azure CLI means, which --resource names by itself.
func AzureResource(scope string) string { return microsoft.App(scope) }

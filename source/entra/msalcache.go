package entra

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
)

// oneSignIn is MSAL's cache for a single silent call: the refresh token, its account and the client, and no access
// token, so that MSAL always asks. What MSAL would store is thrown away; msalTransport has taken what matters.
type oneSignIn struct{ document []byte }

// Replace gives MSAL the cache.
func (o oneSignIn) Replace(_ context.Context, c cache.Unmarshaler, _ cache.ReplaceHints) error {
	return c.Unmarshal(o.document)
}

// Export forgets.
func (o oneSignIn) Export(context.Context, cache.Marshaler, cache.ExportHints) error { return nil }

// nobody stands for the account of a sign-in whose account is not known: MSAL only compares it with itself.
const nobody = "unknown.unknown"

// account is what MSAL is told about whose refresh token it is.
func account(a microsoft.Authority, t credential.Target) public.Account {
	id := t.Subject
	id = cmp.Or(id, nobody)
	return public.Account{HomeAccountID: id, Environment: a.Host, Realm: a.Tenant, AuthorityType: "MSSTS", PreferredUsername: t.User}
}

// cacheOf writes MSAL's cache schema, which its libraries share; keys are lower case.
func cacheOf(a microsoft.Authority, clientID string, who public.Account, refresh credential.Secret) oneSignIn {
	key := func(parts ...string) string { return strings.ToLower(strings.Join(parts, "-")) }
	document, err := json.Marshal(map[string]any{
		"RefreshToken": map[string]any{key(who.HomeAccountID, a.Host, "refreshtoken", clientID): map[string]string{
			"home_account_id": who.HomeAccountID, "environment": a.Host, "credential_type": "RefreshToken", "client_id": clientID,
			"secret": refresh.Reveal()}},
		"Account":     map[string]any{key(who.HomeAccountID, a.Host, a.Tenant): who},
		"AppMetadata": map[string]any{key("appmetadata", a.Host, clientID): map[string]string{"client_id": clientID, "environment": a.Host, "family_id": ""}},
	})
	if err != nil {
		panic("source/entra: strings that JSON cannot express")
	}
	return oneSignIn{document}
}

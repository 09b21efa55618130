// Package microsoft holds what is known about the Microsoft identity platform without asking it: the sign-in hosts of
// its clouds, how a tenant is named, and which scopes belong to Microsoft's own services. Asking it is left to
// source/entra, and deciding to helper.
package microsoft

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// hosts are the sign-in hosts of Entra ID in its clouds, from MSAL's table of known authorities. The match is exact: a
// host that only looks like one gets no exception from what the MCP specification demands.
var hosts = []string{
	"login.microsoftonline.com",
	"login.microsoftonline.us",
	"login.partner.microsoftonline.cn",
	"login.sovcloud-identity.fr",
	"login.sovcloud-identity.de",
	"login.sovcloud-identity.sg",
}

// publicHost is the host that a tenant without an issuer means.
const publicHost = "login.microsoftonline.com"

// SignInHost reports whether a URL is on one of the sign-in hosts: https, the default port.
func SignInHost(raw string) bool {
	if credential.CheckEndpoint(raw, "issuer") != nil {
		return false
	}
	host, https := strings.CutPrefix(credential.Origin(raw), "https://")
	return https && slices.Contains(hosts, host)
}

// Authority is one tenant in one cloud.
type Authority struct {
	Host   string
	Tenant string // a GUID, a domain, or one of the well-known names; lower case
}

// shared are the names that leave the tenant to the account which signs in.
var shared = []string{"common", "organizations", "consumers"}

// CheckTenant judges the name of a tenant. Errors are of kind Misconfigured.
func CheckTenant(tenant string) error {
	t := strings.ToLower(tenant)
	if isGUID(t) || isDomain(t) || slices.Contains(shared, t) {
		return nil
	}
	return credential.Fail(credential.Misconfigured, "the tenant "+credential.Printable(tenant, 80)+
		" is neither a GUID, a domain, nor one of common, organizations and consumers", nil)
}

// isGUID knows lower-case GUIDs. No regular expressions here: the front program links this package and starts with it.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(s[i])) {
			return false
		}
	}
	return true
}

// isDomain knows lower-case domains of two labels or more.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(labels) < 2 || len(s) > 253 {
		return false
	}
	for _, l := range labels {
		bad := strings.ContainsFunc(l, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') })
		if l == "" || len(l) > 63 || bad || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
	}
	return true
}

// ParseAuthority reads an issuer as people and servers write it: https://HOST, with or without the tenant, with or
// without v2.0. An empty issuer is the public cloud. tenant, where not empty, is the user's word and replaces the
// issuer's. Errors are of kind Misconfigured.
func ParseAuthority(issuer, tenant string) (Authority, error) {
	issuer = cmp.Or(issuer, "https://"+publicHost)
	if !SignInHost(issuer) {
		return Authority{}, credential.Fail(credential.Misconfigured,
			"the issuer "+credential.Printable(issuer, 200)+" is not a sign-in host of Entra ID", nil)
	}
	u, err := url.Parse(issuer)
	if err != nil || u.RawQuery != "" {
		return Authority{}, credential.Fail(credential.Misconfigured, "the issuer "+credential.Printable(issuer, 200)+" is malformed", nil)
	}
	named, rest, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if rest != "" && rest != "v2.0" {
		return Authority{}, credential.Fail(credential.Misconfigured,
			"the issuer "+credential.Printable(issuer, 200)+" does not have the form https://HOST/TENANT/v2.0", nil)
	}
	tenant = cmp.Or(tenant, named)
	if tenant == "" {
		return Authority{}, credential.Fail(credential.Misconfigured, "the issuer names no tenant; name it with --tenant, or as tenant in config.toml", nil)
	}
	return Authority{Host: strings.ToLower(u.Hostname()), Tenant: strings.ToLower(tenant)}, CheckTenant(tenant)
}

// Issuer is the one spelling of the authority that is remembered, so that servers which write it differently share a
// sign-in.
func (a Authority) Issuer() string { return a.base() + "/v2.0" }

// Endpoint is the URL of the v2.0 endpoint with that name: authorize, token or devicecode.
func (a Authority) Endpoint(name string) string { return a.base() + "/oauth2/v2.0/" + name }

// Configuration is where the OpenID document of the authority is.
func (a Authority) Configuration() string { return a.Issuer() + "/.well-known/openid-configuration" }

func (a Authority) base() string { return "https://" + a.Host + "/" + a.Tenant }

// String is how MSAL names the authority.
func (a Authority) String() string { return a.base() }

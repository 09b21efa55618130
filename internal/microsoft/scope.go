package microsoft

import (
	"net/url"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// openID are the scopes that are about the sign-in and not about an app.
var openID = []string{"openid", "profile", "email", "offline_access"}

// Resource returns the scopes without the OpenID ones, which are always asked for. Where one of them is .default, it is
// the only one that stays of its app: it means all that was consented to, and Entra refuses the mixture (AADSTS70011).
func Resource(scopes []string) []string {
	var out []string
	for _, s := range scopes {
		if s != "" && !slices.Contains(openID, s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return slices.DeleteFunc(slices.Clone(out), func(s string) bool {
		all := App(s) + "/.default"
		return !strings.EqualFold(s, all) && slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, all) })
	})
}

// graph is what a scope without an App ID URI belongs to (AADSTS650053).
const graph = "https://graph.microsoft.com"

// App returns the App ID URI of a scope, as it is written: what stands before its last slash. A bare scope is
// Microsoft Graph's.
func App(scope string) string {
	if at := strings.LastIndexByte(scope, '/'); at > 0 {
		return scope[:at]
	}
	return graph
}

// SameApp reports whether every scope belongs to one app.
func SameApp(scopes []string) bool {
	for _, s := range scopes {
		if !strings.EqualFold(App(s), App(scopes[0])) {
			return false
		}
	}
	return true
}

// ownDomains are domains under which Microsoft's services, and no customers, name their apps.
var ownDomains = []string{
	"azure.com", "azure.net", "azure.us", "azure.cn", "windows.net", "chinacloudapi.cn", "usgovcloudapi.net", "cloudapi.de",
	"microsoft.com", "microsoft.us", "microsoft", "microsoftonline.com", "microsoftonline.us", "windows.com",
	"office.com", "office.net", "office365.com", "office365.us", "outlook.com", "live.com", "onenote.com", "skype.com", "yammer.com",
	"sharepoint.com", "sharepoint.us", "sharepoint.cn", "dynamics.com", "powerbi.com", "powerapps.com", "powerplatform.com",
	"visualstudio.com", "loganalytics.io", "applicationinsights.io", "kusto.windows.net", "azuresynapse.net", "partner.outlook.cn",
	"microsoftazure.de", "sovcloud-api.fr", "sovcloud-api.de", "sovcloud-api.sg",
}

// ownApps are application ids of Microsoft's services that guard much, beyond those that begin with seven zeros (Graph,
// Exchange, SharePoint, Power BI and their like), with the origin of the MCP server that may ask for itself.
var ownApps = map[string]string{
	"797f4846-ba00-4fd7-ba43-dac1f8f63013": "",                                   // Azure Resource Manager
	"499b84ac-1321-427f-aa17-267ca6975798": "",                                   // Azure DevOps
	"cfa8b339-82a2-471a-a3c9-0fc0be7a4093": "",                                   // Key Vault
	"e406a681-f3d4-42a8-90b6-c2b029497af1": "",                                   // Storage
	"022907d3-0f1b-48f7-badc-1ba6abab6d66": "",                                   // SQL Database
	"c5393580-f805-4401-95e8-94b7a6ef2fc2": "",                                   // Office 365 Management
	"1fec8e78-bce4-4aaf-ab1b-5451cc387264": "",                                   // Teams
	"cc15fd57-2c6c-4117-a88c-83b1d56b4bbe": "",                                   // Teams services
	"2746ea77-4702-4b45-80ca-3c97e680e8b7": "",                                   // Data Explorer
	"48ac35b8-9aa8-4d74-927d-1f4a14a0b239": "",                                   // Skype and Teams
	"6dae42f8-4368-4678-94ff-3960e28e3630": "",                                   // Kubernetes Service
	"2a72489c-aab2-4b65-b93a-a91edccf33b8": "https://mcp.dev.azure.com",          // Azure DevOps MCP
	"fdcc1f02-fc51-4226-8753-f668596af7f7": "https://workiq.svc.cloud.microsoft", // Work IQ
}

// Own reports whether a scope opens one of Microsoft's own services (Graph, Azure Resource Manager, Key Vault, Storage
// and the like), which everybody in a tenant has: a server that names one asks for much more than itself. A bare scope
// does, and what cannot be read counts as one. A service that asks for itself does not: server is its URL.
func Own(scope, server string) bool {
	app := strings.ToLower(App(scope))
	if id := strings.Trim(strings.TrimPrefix(app, "api://"), "/"); isGUID(id) {
		itself, own := ownApps[id]
		return strings.HasPrefix(id, "0000000") || own && credential.Origin(server) != itself
	}
	u, err := url.Parse(app)
	if err != nil || u.Host == "" {
		return true
	}
	switch u.Scheme {
	case "api", "https", "http": // Work IQ is api://workiq.svc.cloud.microsoft
		host := strings.TrimSuffix(u.Hostname(), ".")
		return ownHost(host) && credential.Origin(server) != "https://"+host
	}
	return true
}

func ownHost(host string) bool {
	return slices.ContainsFunc(ownDomains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
}

package microsoft

import (
	"slices"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

const tenant = "aaaabbbb-0000-cccc-1111-dddd2222eeee"

func TestParseAuthority(t *testing.T) {
	const want = "https://login.microsoftonline.com/" + tenant + "/v2.0"
	for _, issuer := range []string{
		want, want + "/", "https://login.microsoftonline.com/" + tenant, "https://LOGIN.microsoftonline.com:443/AAAABBBB-0000-cccc-1111-dddd2222eeee/",
	} {
		if a, err := ParseAuthority(issuer, ""); err != nil || a.Issuer() != want {
			t.Errorf("%s: %v %v", issuer, a, err)
		}
	}
	for issuer, named := range map[string]string{"": tenant, "https://login.microsoftonline.com": tenant, "https://login.microsoftonline.com/common/v2.0": tenant} {
		if a, err := ParseAuthority(issuer, named); err != nil || a.Issuer() != want {
			t.Errorf("%q with a tenant: %v %v", issuer, a, err)
		}
	}
	for _, good := range []string{"contoso.onmicrosoft.com", "Contoso.com", "common", "organizations", "consumers", tenant} {
		if _, err := ParseAuthority("https://login.microsoftonline.us/common", good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for issuer, named := range map[string]string{
		"": "", "https://login.microsoftonline.com": "", "https://login.microsoftonline.com.evil.example/" + tenant: "",
		"http://login.microsoftonline.com/" + tenant: "", "https://login.microsoftonline.com:444/" + tenant: "",
		"https://evil.example@login.microsoftonline.com/" + tenant: "", "https://login.microsoftonline.com/{tenantid}/v2.0": "",
		"https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/token": "", "https://login.microsoftonline.com/" + tenant + "?x=1": "",
		"https://sts.windows.net/" + tenant: "", "https://login.microsoftonline.com/a": "", "https://login.microsoftonline.us": "a b",
		"https://login.partner.microsoftonline.cn": "..", "https://login.sovcloud-identity.fr": "-a.com", "https://login.sovcloud-identity.de": "a.com/../b",
	} {
		if a, err := ParseAuthority(issuer, named); credential.KindOf(err) != credential.Misconfigured || err == nil {
			t.Errorf("%q %q: %v %v", issuer, named, a, err)
		}
	}
}

func TestOwn(t *testing.T) {
	const server = "https://mcp.contoso.com/mcp"
	for _, s := range []string{
		"https://graph.microsoft.com/.default", "https://GRAPH.microsoft.com/Mail.Read", "https://graph.microsoft.com//.default", "https://graph.microsoft.com./x",
		"https://graph.microsoft.com:443/x", "https://u@graph.microsoft.com/x", "https://dod-graph.microsoft.us/x", "https://microsoftgraph.chinacloudapi.cn/x",
		"Mail.Read", "user_impersonation", "/x", ".default", "00000003-0000-0000-c000-000000000000/.default", "api://00000003-0000-0000-C000-000000000000/x",
		"https://management.azure.com/.default", "https://management.core.windows.net//user_impersonation", "797f4846-ba00-4fd7-ba43-dac1f8f63013/.default",
		"https://vault.azure.net/.default", "https://mine.vault.azure.net/.default", "https://storage.azure.com/user_impersonation", "https://x.blob.core.windows.net/.default",
		"https://database.windows.net/.default", "https://contoso.sharepoint.com/AllSites.Read", "https://contoso.crm.dynamics.com/x", "https://outlook.office.com/IMAP.AccessAsUser.All",
		"499b84ac-1321-427f-aa17-267ca6975798/.default", "https://app.vssps.visualstudio.com/user_impersonation", "https://analysis.windows.net/powerbi/api/x",
		"api://workiq.svc.cloud.microsoft/WorkIQAgent.Ask", "fdcc1f02-fc51-4226-8753-f668596af7f7/.default",
		"2a72489c-aab2-4b65-b93a-a91edccf33b8/Ado.Mcp.Tools", "urn:x/y", "spn:00000003-0000-0000-c000-000000000000/x", "ftp://contoso.com/x", "https:///x", "%zz/x",
	} {
		if !Own(s, server) {
			t.Errorf("%s counts as a customer's", s)
		}
	}
	for _, s := range []string{
		"api://12345678-1111-2222-3333-444455556666/.default", "12345678-1111-2222-3333-444455556666/.default", "api://contoso.com/mcp/read",
		"https://mcp.contoso.com/user_impersonation", "https://contoso.onmicrosoft.com/mcp/read", "https://contoso.azurewebsites.net/.default",
		"https://contoso.azure-api.net/.default", "https://notmicrosoft.com/x", "api://graph.microsoft.com.contoso.com/x",
	} {
		if Own(s, server) {
			t.Errorf("%s counts as Microsoft's", s)
		}
	}
	if Own("https://api.fabric.microsoft.com/.default", "https://api.fabric.microsoft.com/v1/mcp") {
		t.Error("a service may ask for itself")
	}
	if Own("api://workiq.svc.cloud.microsoft/WorkIQAgent.Ask", "https://workiq.svc.cloud.microsoft/mcp") {
		t.Error("Work IQ may ask for itself")
	}
	if Own("2a72489c-aab2-4b65-b93a-a91edccf33b8/Ado.Mcp.Tools", "https://mcp.dev.azure.com/contoso") {
		t.Error("Azure DevOps may ask for itself")
	}
	if !Own("https://graph.microsoft.com/.default", "https://mcp.fabric.microsoft.com/v1") {
		t.Error("a service may not ask for another one")
	}
}

func TestResource(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{[]string{"openid", "api://a/read", "offline_access", "api://a/read", ""}, []string{"api://a/read"}},
		{[]string{"api://a/read", "api://a/.default"}, []string{"api://a/.default"}},
		{[]string{"api://a/.default", "api://b/read"}, []string{"api://a/.default", "api://b/read"}},
		{[]string{"openid"}, nil},
	} {
		if got := Resource(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
	if !SameApp([]string{"api://A/x", "api://a/y"}) || SameApp([]string{"api://a/x", "y"}) || !SameApp(nil) {
		t.Error("SameApp")
	}
}

// FuzzParseAuthority: what is read has one spelling, which reads as the same.
func FuzzParseAuthority(f *testing.F) {
	for _, seed := range [][2]string{{"", tenant}, {"https://login.microsoftonline.com/common/v2.0", ""}, {"https://login.microsoftonline.us/", "a.b"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, issuer, named string) {
		a, err := ParseAuthority(issuer, named)
		if err != nil {
			return
		}
		again, err := ParseAuthority(a.Issuer(), "")
		if err != nil || again != a || !SignInHost(a.Endpoint("token")) {
			t.Fatalf("%q %q: %v became %v, %v", issuer, named, a, again, err)
		}
	})
}

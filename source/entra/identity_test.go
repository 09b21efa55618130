package entra

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
	fake "github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
	"github.com/mcp-credential/mcp-credential/source"
)

// environment is one that lists NAME=value.
func environment(vars ...string) func(string) string {
	return func(name string) string {
		for _, v := range vars {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

var (
	whole     = []string{"AZURE_TENANT_ID=" + fake.Tenant, "AZURE_CLIENT_ID=" + fake.Service}
	gitHub    = []string{"ACTIONS_ID_TOKEN_REQUEST_URL=https://h/x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=x"}
	pipelines = []string{"AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=c", "AZURESUBSCRIPTION_TENANT_ID=" + fake.Tenant, "AZURESUBSCRIPTION_CLIENT_ID=" + fake.Other,
		"SYSTEM_OIDCREQUESTURI=https://h/x", "SYSTEM_ACCESSTOKEN=x"}
	appService = []string{"IDENTITY_ENDPOINT=http://127.0.0.1/x", "IDENTITY_HEADER=x"}
)

func asks(scopes ...string) Identity { return Identity{Server: "https://h/mcp", Scopes: scopes} }

// The order of the documentation: with everything set the first kind is chosen, and when it is taken away the next.
func TestOrder(t *testing.T) {
	env := slices.Concat([]string{"AZURE_CLIENT_SECRET=s"}, []string{"AZURE_CLIENT_CERTIFICATE_PATH=p"}, []string{"AZURE_FEDERATED_TOKEN_FILE=f"}, gitHub, pipelines, appService)
	drop := []int{1, 1, 1, len(gitHub), len(pipelines), len(appService)}
	if len(drop) != len(Kinds()) {
		t.Fatal("a kind without a place in this test")
	}
	for i, want := range Kinds() {
		m, err := New(source.Config{}).Identify(asks("api://app"), environment(slices.Concat(whole, env)...))
		if err != nil || m == nil || m.Kind != want {
			t.Fatalf("%+v, %v, want %s", m, err, want)
		}
		client := fake.Service
		if want == Pipelines {
			client = fake.Other
		}
		if m.ClientID != client || (m.Issuer == fake.Issuer) != (want != Managed) || !slices.Equal(m.Scopes, []string{"api://app/.default"}) {
			t.Errorf("%s: %+v", want, m)
		}
		env = env[drop[i]:]
	}
}

func TestForcedKind(t *testing.T) {
	for _, kind := range Kinds() {
		id := asks("api://app")
		id.Kind = kind
		m, err := New(source.Config{}).Identify(id, environment(slices.Concat(whole, []string{"AZURE_CLIENT_SECRET=s"})...))
		switch {
		case kind == Secret || kind == Managed:
			if err != nil || m.Kind != kind {
				t.Errorf("%s: %v", kind, err)
			}
		case credential.KindOf(err) != credential.Misconfigured || m != nil:
			t.Errorf("%s: %v, %v", kind, m, err)
		}
	}
}

func TestNoIdentity(t *testing.T) {
	for _, vars := range [][]string{nil, {"AZURE_CLIENT_ID=x"}, {"AZURE_TENANT_ID=x"}, gitHub, {"SYSTEM_OIDCREQUESTURI=https://h", "SYSTEM_ACCESSTOKEN=x"}} {
		if m, err := New(source.Config{}).Identify(asks(), environment(vars...)); m != nil || err != nil {
			t.Errorf("%v: %v, %v", vars, m, err)
		}
	}
	id := asks("api://app")
	id.ClientID = fake.Other
	if m, err := New(source.Config{}).Identify(id, environment(append(slices.Clone(whole), "AZURE_CLIENT_SECRET=s")...)); m != nil || err != nil {
		t.Errorf("another client: %v, %v", m, err)
	}
	id = asks("read")
	id.Issuer = "https://id.example.com"
	if m, err := New(source.Config{}).Identify(id, environment(append(slices.Clone(whole), "AZURE_CLIENT_SECRET=s")...)); m != nil || err != nil {
		t.Errorf("another authorization server: %v, %v", m, err)
	}
}

// Half an identity names what is missing and nothing that is there.
func TestHalf(t *testing.T) {
	tenant, client := whole[0], whole[1]
	for _, c := range []struct {
		vars         []string
		says, unsaid string
	}{
		{[]string{tenant, client}, "AZURE_CLIENT_SECRET", ""},
		{[]string{tenant, client, "GITHUB_ACTIONS=true"}, "id-token: write", ""},
		{[]string{tenant, "AZURE_CLIENT_SECRET=s"}, "AZURE_CLIENT_ID", "AZURE_TENANT_ID"},
		{[]string{client, "AZURE_CLIENT_SECRET=s"}, "AZURE_TENANT_ID", "AZURE_CLIENT_ID"},
		{[]string{"AZURE_CLIENT_CERTIFICATE_PATH=p"}, "AZURE_TENANT_ID, --tenant or tenant; AZURE_CLIENT_ID", ""},
		{[]string{tenant, "AZURE_FEDERATED_TOKEN_FILE=p"}, "AZURE_CLIENT_ID", "AZURE_TENANT_ID"},
		{[]string{client, gitHub[0], gitHub[1]}, "AZURE_TENANT_ID", "ACTIONS"},
		{[]string{tenant, client, gitHub[0]}, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AZURE_TENANT_ID"},
		{pipelines[:4], "SYSTEM_ACCESSTOKEN (the step needs env", "SYSTEM_OIDCREQUESTURI"},
		{appService[:1], "IDENTITY_HEADER", "AZURE"},
	} {
		m, err := New(source.Config{}).Identify(asks("api://app"), environment(c.vars...))
		if m != nil || credential.KindOf(err) != credential.Misconfigured || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, %v", c.vars, m, err)
			continue
		}
		if c.unsaid != "" && strings.Contains(err.Error(), c.unsaid) {
			t.Errorf("%v: %v names what is there", c.vars, err)
		}
	}
}

func TestTenantsAndAuthorities(t *testing.T) {
	for _, c := range []struct {
		id   Identity
		vars []string
		want string // the issuer, or what the error says
	}{
		{Identity{}, nil, fake.Issuer},
		{Identity{Tenant: "Contoso.OnMicrosoft.com"}, nil, "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0"},
		{Identity{}, []string{"AZURE_AUTHORITY_HOST=https://login.microsoftonline.us/"}, "https://login.microsoftonline.us/" + fake.Tenant + "/v2.0"},
		{Identity{Issuer: "https://login.microsoftonline.com/" + fake.Client + "/v2.0"}, nil, "https://login.microsoftonline.com/" + fake.Client + "/v2.0"},
		{Identity{Tenant: "common"}, nil, "one tenant"},
		{Identity{Tenant: "organizations"}, nil, "one tenant"},
		{Identity{Tenant: "not a tenant"}, nil, "neither a GUID"},
		{Identity{Tenant: "../x"}, nil, "neither a GUID"},
		{Identity{}, []string{"AZURE_AUTHORITY_HOST=https://login.example.com/"}, "not a sign-in host"},
		{Identity{}, []string{"AZURE_AUTHORITY_HOST=https://login.microsoftonline.com.example.com/"}, "not a sign-in host"},
		{Identity{}, []string{"AZURE_AUTHORITY_HOST=http://login.microsoftonline.com/"}, "not a sign-in host"},
	} {
		c.id.Scopes = []string{"api://app"}
		m, err := New(source.Config{}).Identify(c.id, environment(slices.Concat(c.vars, whole, []string{"AZURE_CLIENT_SECRET=s"})...))
		switch {
		case strings.HasPrefix(c.want, "https:"):
			if err != nil || m.Issuer != c.want {
				t.Errorf("%+v %v: %+v, %v", c.id, c.vars, m, err)
			}
		case credential.KindOf(err) != credential.Misconfigured || !strings.Contains(err.Error(), c.want):
			t.Errorf("%+v %v: %v", c.id, c.vars, err)
		}
	}
}

func TestScopesOfMachines(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "no scope is known for https://h/mcp",
		"api://app":                              "api://app/.default",
		"api://app/.default":                     "api://app/.default",
		"https://graph.microsoft.com":            "https://graph.microsoft.com/.default",
		"https://graph.microsoft.com/":           "https://graph.microsoft.com//.default",
		fake.Client:                              fake.Client + "/.default",
		"api://app/user_impersonation":           "such as api://app/.default",
		"api://contoso.com/app":                  "such as api://contoso.com/.default",
		"User.Read":                              "such as https://graph.microsoft.com/.default",
		"api://app/.default api://app/read":      "api://app/.default",
		"api://app/.default openid":              "api://app/.default",
		"api://app/.default api://other":         "one app at a time",
		"api://app/.default api://app2/.default": "one app at a time",
	} {
		got, err := appScope(asks(strings.Fields(in)...))
		if err != nil {
			got = err.Error()
			if credential.KindOf(err) != credential.Misconfigured {
				t.Errorf("%q: %v", in, err)
			}
		}
		if !strings.Contains(got, want) || err == nil && got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

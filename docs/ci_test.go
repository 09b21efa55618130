//go:build unix

package docs_test

import (
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

func TestGitHubExample(t *testing.T) {
	j := newJob(t)
	v := j.voucher("https://token.actions.githubusercontent.com", "repo:contoso/agent:ref:refs/heads/main")
	j.env["GITHUB_ACTIONS"] = "true"
	j.env["ACTIONS_ID_TOKEN_REQUEST_URL"] = j.serve(v.GitHub()) + "/idtoken/1?api-version=2.0"
	j.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = v.Bearer
	j.works(j.example("GitHub Actions", "yaml"), map[string]string{
		"${{ vars.AZURE_TENANT_ID }}": entra.Tenant, "${{ vars.AZURE_CLIENT_ID }}": entra.Service,
	}, false)
	if n := v.Requests(); keeps() && n != 1 {
		t.Errorf("%d requests to the OIDC service", n)
	}
	j.secretless(v.Secrets()...)
}

func TestPipelinesExample(t *testing.T) {
	j := newJob(t)
	v := j.voucher("https://vstoken.dev.azure.com/0000", "sc://contoso/project/agents")
	j.env["TF_BUILD"] = "True"
	j.env["SYSTEM_OIDCREQUESTURI"] = j.serve(v.Pipelines("0b1c")) + "/contoso/_apis/distributedtask/hubs/build/plans/1/jobs/2/oidctoken"
	j.env["AZURESUBSCRIPTION_TENANT_ID"], j.env["AZURESUBSCRIPTION_CLIENT_ID"] = entra.Tenant, entra.Service
	j.env["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"] = "0b1c"
	j.works(j.example("Azure Pipelines", "yaml"), map[string]string{"$(System.AccessToken)": v.Bearer}, true)
	j.secretless(v.Secrets()...)
}

func TestGitLabExample(t *testing.T) {
	j := newJob(t)
	v := j.voucher("https://gitlab.com", "project_path:contoso/agent:ref_type:branch:ref:main")
	j.env["GITLAB_CI"], j.env["AZURE_ID_TOKEN"] = "true", v.Token(entra.ExchangeAudience)
	j.works(j.example("GitLab", "yaml"), map[string]string{"$TENANT": entra.Tenant, "$CLIENT": entra.Service}, true)
	j.secretless(v.Secrets()...)
}

func TestKubernetesExample(t *testing.T) {
	j := newJob(t)
	v := j.voucher("https://oidc.cluster.example", "system:serviceaccount:default:agent")
	j.write("azure-identity-token", v.Token(entra.ExchangeAudience), 0o600)
	j.path = filepath.Join(j.dir, "built", "bin") + ":" + j.path
	delete(j.env, "CI")
	j.env["AZURE_TENANT_ID"], j.env["AZURE_CLIENT_ID"], j.env["AZURE_AUTHORITY_HOST"] = entra.Tenant, entra.Service, "https://login.microsoftonline.com/"
	j.env["AZURE_FEDERATED_TOKEN_FILE"] = filepath.Join(j.dir, "azure-identity-token")
	text := strings.Replace(j.example("Kubernetes", "yaml"), "/tmp/mcp-credential", filepath.Join(j.env["HOME"], "cred"), 1)
	j.works(text, nil, true)
	j.secretless(v.Secrets()...)
}

// The configuration for hosts that clear the environment needs nothing but a home.
func TestClearedEnvironmentExample(t *testing.T) {
	j := newJob(t)
	j.write("secret", j.world.ServiceSecret()+"\n", 0o600)
	text := strings.NewReplacer("/etc/agent/secret", filepath.Join(j.dir, "secret")).Replace(j.example("Agents, and hosts that clear the environment", "toml"))
	j.configure(text)
	out, words, err := j.run(nil, "", "mcp-credential", "get", "--output", "headers", j.world.ServerURL(1))
	if err != nil || !strings.HasPrefix(out, `{"Authorization":"Bearer `) || words != "" {
		t.Fatalf("%v %s %s", err, out, words)
	}
	out, words, err = j.run(nil, "", "mcp-credential", "status", j.world.ServerURL(1))
	if err != nil || !regexp.MustCompile(`(?m)^  identity +secret$`).MatchString(out) || !strings.Contains(out, "token kept") {
		t.Errorf("%v %s %s", err, out, words)
	}
	j.secretless()
}

// A hundred gets one after the other, and two hundred at once, cost one request in a token's hour.
func TestOneRequestForManyProcesses(t *testing.T) {
	for name, crowd := range map[string]func(j *job, get func()){
		"one after the other": func(_ *job, get func()) {
			for range 100 {
				get()
			}
		},
		"at once": func(_ *job, get func()) {
			var all sync.WaitGroup
			for range 200 {
				all.Go(get)
			}
			all.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t)
			args := append(j.service(), "--wait", "60s")
			var mu sync.Mutex
			answers := map[string]int{}
			crowd(j, func() {
				out, words, err := j.run(nil, "", "mcp-credential", args...)
				if err != nil {
					t.Errorf("%v %s", err, words)
				}
				mu.Lock()
				defer mu.Unlock()
				answers[out]++
			})
			if n := j.world.Stats().Token["client_credentials"]; n != 1 || len(answers) != 1 {
				t.Errorf("%d requests, %d answers", n, len(answers))
			}
		})
	}
}

// Another service principal, or none, does not get this one's token; the same one with its secret taken away does.
func TestWhoseTokenItIs(t *testing.T) {
	j := newJob(t)
	args := j.service()
	first, words, err := j.run(nil, "", "mcp-credential", args...)
	if err != nil {
		t.Fatal(err, words)
	}
	if out, _, err := j.run(map[string]string{"AZURE_CLIENT_SECRET": ""}, "", "mcp-credential", args...); keeps() && (err != nil || out != first) {
		t.Errorf("without the secret: %q, %v", out, err)
	}
	for says, env := range map[string]map[string]string{
		"AADSTS700016":     {"AZURE_CLIENT_ID": entra.Assigned},
		"AADSTS90002":      {"AZURE_TENANT_ID": "fabrikam.onmicrosoft.com"},
		"nobody has":       {"AZURE_CLIENT_ID": "", "AZURE_TENANT_ID": "", "AZURE_CLIENT_SECRET": ""},
		"AZURE_CLIENT_ID":  {"AZURE_CLIENT_ID": ""},
		"not a sign-in":    {"AZURE_AUTHORITY_HOST": "https://login.example.com"},
		"AADSTS7000215":    {"AZURE_TENANT_ID": entra.Domain, "AZURE_CLIENT_SECRET": "not-the-value-of-it"},
		"signs in to one ": {"AZURE_TENANT_ID": "common"},
	} {
		out, words, err := j.run(env, "", "mcp-credential", args...)
		if err == nil || out != "" || !strings.Contains(words, says) {
			t.Errorf("%v: %q %s", env, out, words)
		}
		wantCode := 5
		if says == "nobody has" {
			wantCode = 3
		}
		if code := exitCode(err); code != wantCode {
			t.Errorf("%v: exit %d: %s", env, code, words)
		}
	}
	j.secretless()
}

// A token in its last part is served, and the next one asked for by a process of its own.
func TestMachineRefreshAhead(t *testing.T) {
	j := newJob(t)
	if !keeps() {
		testsupport.Missing(t, "kernel keyring")
	}
	args := j.service()
	j.world.Set(func(k *entra.Behaviour) { k.Token = map[string]any{"refresh_in": 1} })
	first, words, err := j.run(nil, "", "mcp-credential", args...)
	if err != nil {
		t.Fatal(err, words)
	}
	var answers []string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		out, words, err := j.run(nil, "", "mcp-credential", args...)
		if err != nil {
			t.Fatal(err, words)
		}
		if answers = append(answers, out); out != first {
			break
		}
	}
	if !slices.Contains(answers, first) || answers[len(answers)-1] == first {
		t.Errorf("%d answers", len(answers))
	}
}

// The configuration for another authorization server: its metadata is read once, and the token asked for once.
func TestAnyAuthorizationServerExample(t *testing.T) {
	j := newJob(t)
	w, err := fakeworld.Start(fakeworld.Options{Scopes: []string{"mcp:tools"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	j.write("secret", fakeworld.ConfidentialSecret, 0o600)
	j.configure(strings.NewReplacer("https://mcp.example.com/mcp", w.ServerURL(), "https://id.example.com", w.Issuer(),
		"nightly-agent", fakeworld.ConfidentialClient, "/etc/agent/secret", filepath.Join(j.dir, "secret")).Replace(j.example("Any authorization server", "toml")))
	for range 2 {
		out, words, err := j.run(nil, "", "mcp-credential", "get", "--output", "json", w.ServerURL())
		if err != nil || !strings.Contains(out, `"mcp:tools"`) || words != "" {
			t.Fatalf("%v %s %s", err, out, words)
		}
	}
	stats := w.Stats()
	requests := 0
	for _, n := range stats.HTTP {
		requests += n
	}
	if keeps() && (stats.TokenOK["client_credentials"] != 1 || requests != 2) {
		t.Errorf("%v", stats.HTTP)
	}
	j.secretless(append(w.Secrets(), fakeworld.ConfidentialSecret)...)
}

// The identity of a machine, as an App Service offers it; a VM's address cannot be served here.
func TestManagedIdentity(t *testing.T) {
	j := newJob(t)
	j.env["IDENTITY_ENDPOINT"], j.env["IDENTITY_HEADER"] = j.serve(j.world.AppService("header-of-the-app")), "header-of-the-app"
	args := []string{"get", "--scope", entra.AppURI(1), j.world.ServerURL(1)}
	for range 2 {
		if out, words, err := j.run(nil, "", "mcp-credential", args...); err != nil || words != "" {
			t.Fatalf("%v %s %s", err, out, words)
		}
	}
	if n := j.world.Stats().HTTP["AppService"]; keeps() && n != 1 {
		t.Errorf("%d requests", n)
	}
	j.secretless("header-of-the-app")
}

// What cannot be is said in one sentence, with an exit code, an empty stdout and no request.
func TestBadMachineInput(t *testing.T) {
	j := newJob(t)
	args := j.service()
	empty := filepath.Join(j.dir, "empty")
	j.write("empty", "", 0o600)
	for says, c := range map[string]struct {
		code int
		env  map[string]string
		args []string
	}{
		"no scope is known":                                 {5, nil, []string{"get", j.world.ServerURL(1)}},
		"such as " + entra.AppURI(1):                        {5, nil, []string{"get", "--scope", entra.Scope(1), j.world.ServerURL(1)}},
		"--identity can be one of":                          {2, nil, append(args, "--identity", "password")},
		"use one of them":                                   {2, nil, append(args, "--identity", "secret", "--account", "work")},
		"config.toml lacks issuer":                          {5, nil, append(args, "--identity", "client-credentials")},
		"AZURE_CLIENT_CERTIFICATE_PATH or certificate_file": {5, nil, append(args, "--identity", "certificate")},
		"AZURE_CLIENT_ID, --client-id":                      {5, map[string]string{"AZURE_CLIENT_ID": ""}, args},
		"neither a GUID":                                    {5, map[string]string{"AZURE_TENANT_ID": "a tenant"}, args},
		"it is empty":                                       {5, map[string]string{"AZURE_CLIENT_SECRET": "", "AZURE_FEDERATED_TOKEN_FILE": empty}, args},
		"the certificate file":                              {5, map[string]string{"AZURE_CLIENT_SECRET": "", "AZURE_CLIENT_CERTIFICATE_PATH": empty}, args},
	} {
		out, words, err := j.run(c.env, "", "mcp-credential", c.args...)
		if exitCode(err) != c.code || out != "" || !strings.Contains(words, says) || strings.Count(words, "\n") > 2 {
			t.Errorf("%s: exit %d %q %s", says, exitCode(err), out, words)
		}
	}
	if n := j.world.Stats().HTTP; len(n) != 0 {
		t.Errorf("requests %v", n)
	}
}

// A service that accepts and stays silent costs --wait and no more.
func TestSilentOIDCService(t *testing.T) {
	j := newJob(t)
	args := append(j.service(), "--wait", "1s")
	delete(j.env, "AZURE_CLIENT_SECRET")
	silent := j.serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	j.env["ACTIONS_ID_TOKEN_REQUEST_URL"], j.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = silent, "x"
	began := time.Now()
	_, words, err := j.run(nil, "", "mcp-credential", args...)
	if exitCode(err) != 4 || !strings.Contains(words, "OIDC service of GitHub Actions") {
		t.Errorf("exit %d %s", exitCode(err), words)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

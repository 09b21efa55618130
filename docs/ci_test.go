//go:build unix

package docs_test

import (
	"bytes"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
)

// job is a machine of a CI system: the product, a stand-in for Go's installer, and a strict Entra ID.
type job struct {
	t     *testing.T
	world *entra.World
	dir   string
	path  string
	env   map[string]string // what the system sets, and what stands behind its expressions
}

// programs builds the product once.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mcp-credential-docs")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir+string(os.PathSeparator), module+"/cmd/mcp-credential", module+"/cmd/mcp-credential-core")
	cmd.Stderr = os.Stderr
	return dir, cmd.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

func newJob(t *testing.T) *job {
	t.Helper()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program)
		}
	}
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	w, err := entra.Start(entra.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	j := &job{t: t, world: w, dir: t.TempDir()}
	j.write("ca.pem", string(w.CertPEM()), 0o600)
	j.write("gopath/bin/mcp-credential", "", 0o600)
	_ = os.RemoveAll(filepath.Join(j.dir, "gopath", "bin"))
	if err := os.Symlink(bin, filepath.Join(j.dir, "gopath", "bin")); err != nil {
		t.Fatal(err)
	}
	j.write("stub/go", "#!/bin/sh\ncase \"$1 $2\" in\n\"env GOPATH\") echo '"+filepath.Join(j.dir, "gopath")+"' ;;\n\"install "+module+"/\"*) ;;\n*) exit 9 ;;\nesac\n", 0o700)
	j.path = filepath.Join(j.dir, "stub") + ":/usr/bin:/bin"
	j.env = map[string]string{
		"HOME": filepath.Join(j.dir, "home"), "TMPDIR": j.dir, "CI": "true", "HTTPS_PROXY": w.ProxyURL(), "SSL_CERT_FILE": filepath.Join(j.dir, "ca.pem"),
		"GITHUB_PATH": filepath.Join(j.dir, "github-path"),
	}
	if runtime.GOOS == "darwin" { // keys are kept in the keychain there: not in the user's own
		j.write("passphrase", "only for tests\n", 0o600)
		j.env["MCPCRED_STORE"], j.env["MCPCRED_PASSPHRASE_FILE"] = "file", filepath.Join(j.dir, "passphrase")
	}
	if err := os.Mkdir(j.env["HOME"], 0o700); err != nil {
		t.Fatal(err)
	}
	return j
}

func missing(t *testing.T, program string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("missing: " + program)
	}
	t.Skip("missing: " + program)
}

func (j *job) write(name, text string, mode fs.FileMode) {
	j.t.Helper()
	path := filepath.Join(j.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), mode)
	}
	if err != nil {
		j.t.Fatal(err)
	}
}

// run runs a program with the environment of the job and more.
func (j *job) run(more map[string]string, stdin, name string, args ...string) (string, string, error) {
	j.t.Helper()
	path := j.path
	if added, err := os.ReadFile(j.env["GITHUB_PATH"]); err == nil {
		path = strings.Join(strings.Fields(string(added)), ":") + ":" + path
	}
	if name == "mcp-credential" {
		name = filepath.Join(j.dir, "gopath", "bin", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"PATH=" + path}
	for _, env := range []map[string]string{j.env, more} {
		for k, v := range env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
	}
	var out, words bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir = strings.NewReader(stdin), &out, &words, j.dir
	err := cmd.Run()
	return out.String(), words.String(), err
}

// example is the fenced block below a heading of ci.md, with the names of the world in it.
func (j *job) example(heading, language string) string {
	j.t.Helper()
	_, text, found := strings.Cut(read(j.t, "ci.md"), "\n## "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	_, text, fenced := strings.Cut(text, "\n```"+language+"\n")
	text, _, _ = strings.Cut(text, "\n```\n")
	if !found || !fenced {
		j.t.Fatalf("ci.md has no %s below %s", language, heading)
	}
	return strings.NewReplacer("https://tools.example.com/mcp", j.world.ServerURL(1), "api://tools.example.com/.default", entra.AppURI(1)+"/.default").Replace(text)
}

var (
	pair  = regexp.MustCompile(`(?m)^ +([A-Z][A-Z_]+): ([^#\n]+?)(?: +#.*)?$`)
	named = regexp.MustCompile(`(?m)^ +- name: ([A-Z][A-Z_]+)(?: +#.*)?\n +value: (.+)$`)
)

// declared is the environment that an example declares; expr stands for what the CI system puts into expressions.
func declared(example string, expr map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range append(pair.FindAllStringSubmatch(example, -1), named.FindAllStringSubmatch(example, -1)...) {
		out[m[1]] = m[2]
		if v, ok := expr[m[2]]; ok {
			out[m[1]] = v
		}
	}
	return out
}

// scripts are the block scalars of an example: what its shell runs.
func scripts(example string) []string {
	var out []string
	lines := strings.Split(example, "\n")
	for i := 0; i < len(lines); i++ {
		if !strings.HasSuffix(lines[i], " |") && !strings.HasSuffix(lines[i], "- |") || strings.Contains(lines[i], "mcp-credential get") {
			continue
		}
		indent := len(lines[i+1]) - len(strings.TrimLeft(lines[i+1], " "))
		var block []string
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], strings.Repeat(" ", indent)) {
			i++
			block = append(block, lines[i][indent:])
		}
		out = append(out, strings.Join(block, "\n")+"\n")
	}
	return out
}

// works runs the scripts of an example twice: the second time the token is still there.
func (j *job) works(example string, expr map[string]string, together bool) {
	j.t.Helper()
	blocks := scripts(example)
	if len(blocks) == 0 {
		j.t.Fatal("the example runs nothing")
	}
	if together {
		blocks = []string{strings.Join(blocks, "")}
	}
	env := declared(example, expr)
	for range 2 {
		last := ""
		for _, script := range blocks {
			out, words, err := j.run(env, script, "bash", "-e", "-o", "pipefail", "-s")
			if err != nil || words != "" {
				j.t.Fatalf("%s%v\n%s%s", script, err, out, words)
			}
			last = out
		}
		if !strings.Contains(last, `"client_id":"`+entra.Service+`"`) {
			j.t.Errorf("the server says %s", last)
		}
	}
	stats := j.world.Stats()
	want := 1
	if !keeps() {
		want = 2
	}
	if stats.TokenOK["client_credentials"] != want || stats.Token["client_credentials"] != want || stats.MCP[fakeworld.MCPOK] != 2 {
		j.t.Errorf("tokens %v, calls %v", stats.Token, stats.MCP)
	}
	for name, n := range stats.HTTP {
		if strings.HasPrefix(name, "PROXY") || !strings.Contains(name, "/mcp") && !strings.Contains(name, "/oauth2/v2.0/token") {
			j.t.Errorf("%d requests %s", n, name)
		}
	}
}

// keeps reports whether this machine has a place for hot keys; a container may have none.
func keeps() bool { return runtime.GOOS == "darwin" || cache.SystemKeys("docs").Tier() != "none" }

// secretless looks for secrets in all that the product has left behind.
func (j *job) secretless(secrets ...string) {
	j.t.Helper()
	secrets = append(secrets, j.world.Secrets()...)
	files := 0
	err := filepath.WalkDir(j.env["HOME"], func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		for _, s := range secrets {
			if bytes.Contains(data, []byte(s)) {
				j.t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil || files == 0 || len(secrets) < 2 {
		j.t.Errorf("%d files, %d secrets, %v", files, len(secrets), err)
	}
}

func (j *job) voucher(issuer, subject string) *entra.Voucher {
	j.t.Helper()
	v, err := entra.NewVoucher(issuer, subject)
	if err != nil {
		j.t.Fatal(err)
	}
	j.world.TrustFederated(v.Federated())
	return v
}

func (j *job) serve(h http.Handler) string {
	s := httptest.NewServer(h)
	j.t.Cleanup(s.Close)
	return s.URL
}

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
	j.path = filepath.Join(j.dir, "gopath", "bin") + ":" + j.path
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
	if err := os.Mkdir(filepath.Join(j.env["HOME"], ".mcp-credential"), 0o700); err != nil {
		t.Fatal(err)
	}
	j.write("home/.mcp-credential/config.toml", text, 0o600)
	out, words, err := j.run(nil, "", "mcp-credential", "get", "--output", "headers", j.world.ServerURL(1))
	if err != nil || !strings.HasPrefix(out, `{"Authorization":"Bearer `) || words != "" {
		t.Fatalf("%v %s %s", err, out, words)
	}
	out, words, err = j.run(nil, "", "mcp-credential", "status")
	if err != nil || !regexp.MustCompile(`(?m)^  identity +secret$`).MatchString(out) || !strings.Contains(out, "token kept") {
		t.Errorf("%v %s %s", err, out, words)
	}
	j.secretless()
}

// service puts a service principal with a secret into the environment.
func (j *job) service() []string {
	j.env["AZURE_TENANT_ID"], j.env["AZURE_CLIENT_ID"], j.env["AZURE_CLIENT_SECRET"] = entra.Tenant, entra.Service, j.world.ServiceSecret()
	return []string{"get", "--scope", entra.AppURI(1), j.world.ServerURL(1)}
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

func exitCode(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return -1
}

// A token in its last part is served, and the next one asked for by a process of its own.
func TestMachineRefreshAhead(t *testing.T) {
	j := newJob(t)
	if !keeps() {
		missing(t, "kernel keyring")
	}
	args := j.service()
	j.world.Set(func(k *entra.Knobs) { k.Token = map[string]any{"refresh_in": 1} })
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

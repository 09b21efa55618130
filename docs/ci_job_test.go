//go:build unix

package docs_test

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// job is a machine of a CI system: the product, a clone of this checkout to install from, and a strict Entra ID.
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
	if filepath.Base(os.Args[0]) == "curl" {
		os.Exit(curl(os.Args[1:]))
	}
	role()
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

func newJob(t *testing.T) *job {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		testsupport.Missing(t, "bash")
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
	j.write("built/bin/mcp-credential", "", 0o600)
	_ = os.RemoveAll(filepath.Join(j.dir, "built", "bin"))
	if err := os.Symlink(bin, filepath.Join(j.dir, "built", "bin")); err != nil {
		t.Fatal(err)
	}
	j.write("stub/git", clone(t), 0o700)
	if _, err := exec.LookPath("curl"); err != nil {
		self, err := os.Executable()
		if err == nil {
			err = os.Symlink(self, filepath.Join(j.dir, "stub", "curl"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	j.path = filepath.Join(j.dir, "stub") + ":" + filepath.Dir(tool(t, "go")) + ":/usr/bin:/bin"
	j.env = map[string]string{
		"HOME": filepath.Join(j.dir, "home"), "TMPDIR": j.dir, "CI": "true", "HTTPS_PROXY": w.ProxyURL(), "SSL_CERT_FILE": filepath.Join(j.dir, "ca.pem"),
		"GITHUB_PATH": filepath.Join(j.dir, "github-path"),
	}
	for _, name := range []string{"GOMODCACHE", "GOCACHE", "GOFLAGS"} { // what make builds with; nothing is downloaded
		j.env[name] = goEnv(t, name)
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

// curl stands in for curl on a machine without it, as far as the examples use it.
func curl(args []string) int {
	req, _ := http.NewRequest(http.MethodGet, "", nil)
	for i := 0; i < len(args); i++ {
		header := ""
		switch arg := args[i]; {
		case arg == "--fail" || arg == "--silent" || arg == "--show-error":
		case arg == "-H" && i+1 < len(args):
			if i, header = i+1, args[i+1]; header == "@-" {
				all, _ := io.ReadAll(os.Stdin)
				header = strings.TrimSpace(string(all))
			}
			name, value, _ := strings.Cut(header, ": ")
			req.Header.Set(name, value)
		case arg == "-d" && i+1 < len(args):
			i++
			req.Method, req.Body = http.MethodPost, io.NopCloser(strings.NewReader(args[i]))
		case strings.HasPrefix(arg, "http"):
			req.URL, _ = req.URL.Parse(arg)
		default:
			return 2
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 7
	}
	defer resp.Body.Close()
	_, _ = io.Copy(os.Stdout, resp.Body)
	if resp.StatusCode >= 400 {
		return 22
	}
	return 0
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
		name = filepath.Join(j.dir, "built", "bin", name)
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

func (j *job) voucher(issuer, subject string) *entra.WorkloadIssuer {
	j.t.Helper()
	v, err := entra.NewWorkloadIssuer(issuer, subject)
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

// service puts a service principal with a secret into the environment.
func (j *job) service() []string {
	j.env["AZURE_TENANT_ID"], j.env["AZURE_CLIENT_ID"], j.env["AZURE_CLIENT_SECRET"] = entra.Tenant, entra.Service, j.world.ServiceSecret()
	return []string{"get", "--scope", entra.AppURI(1), j.world.ServerURL(1)}
}

func exitCode(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return -1
}

// configure writes config.toml.
func (j *job) configure(text string) {
	j.t.Helper()
	j.write("home/.mcp-credential/config.toml", text, 0o600)
}

//go:build integration && linux

package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// guarded is a server of some other protocol that takes the access tokens of a fakeworld, in the Authorization header.
type guarded struct {
	*httptest.Server
	world *fakeworld.World
	mu    sync.Mutex
	given []string // Authorization headers of the requests that came with one
}

// newGuarded starts a server whose protected resource metadata names the fakeworld's resource; the account's configuration says that
// this is all right, and the account is signed in to it. path is that of the server's URL, and empty for its origin; start is (*httptest.Server).Start or
// StartTLS.
func newGuarded(t *testing.T, u *user, start func(*httptest.Server), path string, serve http.HandlerFunc) *guarded {
	t.Helper()
	g := &guarded{world: strictWorld(t)}
	const wellKnown = "/.well-known/oauth-protected-resource"
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, wellKnown):
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(rw, `{"resource":%q,"authorization_servers":[%q],"scopes_supported":["mcp:read"]}`, g.world.ServerURL(), g.world.Issuer())
		case !g.admits(r):
			rw.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+g.URL+wellKnown+path+`"`)
			rw.WriteHeader(http.StatusUnauthorized)
		default:
			serve(rw, r)
		}
	}))
	start(g.Server)
	t.Cleanup(g.Close)
	if g.TLS != nil {
		u.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})))
		u.env["SSL_CERT_FILE"] = u.path("ca.pem")
	}
	u.configure(`store = "file"`, `passphrase_file = "`+u.path("passphrase")+`"`, `[servers."`+g.URL+path+`"]`, `resource = "`+g.world.ServerURL()+`"`)
	u.env["PATH"] = os.Getenv(binVariable) + ":" + os.Getenv("PATH")
	u.must("login", g.URL+path)
	return g
}

// admits asks the fakeworld about the token.
func (g *guarded) admits(r *http.Request) bool {
	header := r.Header.Get("Authorization")
	if header == "" {
		return false
	}
	g.mu.Lock()
	g.given = append(g.given, header)
	g.mu.Unlock()
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, g.world.ServerURL()+"/ping", nil)
	if err != nil {
		return false
	}
	ask.Header.Set("Authorization", "Bearer "+strings.TrimPrefix(header, "Bearer "))
	resp, err := http.DefaultClient.Do(ask)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// wasGiven checks that every token came, at least once, as header, in which TOKEN stands for the token.
func (g *guarded) wasGiven(t *testing.T, header, token string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	want := strings.ReplaceAll(header, "TOKEN", token)
	for _, got := range g.given {
		if got != want {
			t.Errorf("the Authorization header was %d characters, not %q with the token", len(got), header)
		}
	}
	if len(g.given) == 0 {
		t.Error("no token came")
	}
	g.given = nil
}

func hello(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "hello") }

// client-go's exec plugin, in both versions, with the URL on the command line or from the cluster.
func TestKubernetes(t *testing.T) {
	u := newUser(t)
	g := newGuarded(t, u, (*httptest.Server).StartTLS, "", hello)
	token := u.must("get", g.URL)
	for _, version := range []string{"v1", "v1beta1"} {
		for _, args := range []string{`["get","--input","kubernetes"]`, `["get","--output","kubernetes","` + g.URL + `"]`} {
			u.write("kubeconfig", kubeconfig(g.URL, version, args))
			r := u.say("", bin("clients"), "kubernetes", u.path("kubeconfig"), "3", "/version")
			if r.code != 0 || r.stdout != strings.Repeat("200 hello\n", 3) {
				t.Errorf("%s, %s: %d %q %s", version, args, r.code, r.stdout, r.stderr)
			}
			g.wasGiven(t, "Bearer TOKEN", token)
		}
	}
	u.write("kubeconfig", "clusters:\n- cluster:\n    server: "+g.URL+"\n    certificate-authority: ca.pem\n  name: c\n"+
		"contexts:\n- context:\n    cluster: c\n    user: u\n  name: x\ncurrent-context: x\nusers:\n- name: u\n  user: {}\n")
	u.with("KUBECONFIG="+u.path("kubeconfig")).must("setup", "kubernetes", "--server", g.URL, "--yes")
	if r := u.say("", bin("clients"), "kubernetes", u.path("kubeconfig"), "1", "/version"); r.code != 0 || r.stdout != "200 hello\n" {
		t.Errorf("with what setup wrote: %d %q %s", r.code, r.stdout, r.stderr)
	}
	g.wasGiven(t, "Bearer TOKEN", token)
	other := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("another cluster got a token")
		}
		hello(rw, r)
	}))
	defer other.Close()
	u.write("kubeconfig", kubeconfig(other.URL, "v1", `["get","--prompt","never","--input","kubernetes"]`))
	r := u.say("", bin("clients"), "kubernetes", u.path("kubeconfig"), "1", "/version")
	if r.code != 1 || !strings.Contains(r.stderr, "exit code 3") || !strings.Contains(r.stderr, "nobody has signed in to "+other.URL) {
		t.Errorf("an unknown cluster: %d %q %s", r.code, r.stdout, r.stderr)
	}
}

func kubeconfig(server, version, args string) string {
	return `{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":"` + server + `","certificate-authority":"ca.pem"}}],
"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u","user":{"exec":{
"apiVersion":"client.authentication.k8s.io/` + version + `","command":"mcp-credential","args":` + args + `,"provideClusterInfo":true,"interactiveMode":"Never"}}}]}`
}

// Docker's own client library: get, list, store, erase, and a registry that nobody knows.
func TestDocker(t *testing.T) {
	u := newUser(t)
	g := newGuarded(t, u, (*httptest.Server).Start, "", hello)
	token := u.must("get", g.URL)
	docker := func(args ...string) result { return u.say("", bin("clients"), append([]string{"docker"}, args...)...) }
	host := strings.TrimPrefix(g.URL, "http://")
	for _, registry := range []string{host, g.URL, g.URL + "/v2/"} {
		var found struct{ ServerURL, Username, Secret string }
		r := docker("get", registry)
		if err := json.Unmarshal([]byte(r.stdout), &found); err != nil || found.ServerURL != registry || found.Username != "oauth2" || found.Secret != token {
			t.Errorf("%s: %d %v %s", registry, r.code, err, r.stderr)
		}
	}
	for _, unknown := range []string{"https://index.docker.io/v1/", "registry.example", "http://registry.example:5000"} {
		if r := docker("get", unknown); r.code != 0 || r.stdout != "\"not found\"\n" || r.stderr != "" {
			t.Errorf("%s: %d %q %s", unknown, r.code, r.stdout, r.stderr)
		}
		if r := docker("erase", unknown); r.code != 0 || r.stdout != "" || r.stderr != "" {
			t.Errorf("erase %s: %d %q %s", unknown, r.code, r.stdout, r.stderr)
		}
	}
	if r := docker("list"); r.code != 0 || r.stdout != `{"`+g.URL+`":"oauth2"}`+"\n" {
		t.Errorf("list: %d %q %s", r.code, r.stdout, r.stderr)
	}
	if r := docker("store", "https://index.docker.io/v1/", "alice", strangerPassword); r.code != 1 || !strings.Contains(r.stderr, "passwords are not kept here") {
		t.Errorf("a password: %d %q %s", r.code, r.stdout, r.stderr)
	}
	if r := docker("store", "registry.example", "oauth2", "given.token"); r.code != 0 {
		t.Errorf("store: %d %s", r.code, r.stderr)
	}
	if r := docker("get", "registry.example"); !strings.Contains(r.stdout, `"Secret":"given.token"`) {
		t.Errorf("stored: %d %q %s", r.code, r.stdout, r.stderr)
	}
	if r := docker("erase", host); r.code != 0 {
		t.Errorf("erase: %d %s", r.code, r.stderr)
	}
	if r := docker("get", host); r.code != 0 || strings.Contains(r.stdout, token) || !strings.Contains(r.stdout, `"Username":"oauth2"`) {
		t.Errorf("after erase: %d %s", r.code, r.stderr)
	}
}

// azidentity starts the program az, which is a script that calls us.
func TestAzureCLI(t *testing.T) {
	u := newUser(t)
	world := strictWorld(t)
	u.must("login", world.ServerURL())
	u.script("az", `[ "$1 $2" = "account get-access-token" ] || exit 2
shift 2
exec mcp-credential get "$@" --prompt never --output azure`)
	u.env["PATH"] = u.home + ":" + os.Getenv(binVariable) + ":" + os.Getenv("PATH")
	token := u.must("get", world.ServerURL())
	r := u.say("", bin("clients"), "azure", world.ServerURL()+"/.default")
	if want := fmt.Sprintf("%s %d\n", token, u.line(world.ServerURL()).Expiry.Unix()); r.code != 0 || r.stdout != want {
		t.Errorf("%d, %d characters; %s", r.code, len(r.stdout), r.stderr)
	}
	r = u.say("", bin("clients"), "azure", "https://management.azure.com/.default")
	if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "nobody has signed in to a server whose resource is https://management.azure.com") {
		t.Errorf("another resource: %d %q %s", r.code, r.stdout, r.stderr)
	}
}

// crate is a package without a line of code, as a registry has it.
func crate(t *testing.T, name string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for path, text := range map[string]string{
		"Cargo.toml": "[package]\nname = \"" + name + "\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/lib.rs": "",
	} {
		if err := archive.WriteHeader(&tar.Header{Name: name + "-0.1.0/" + path, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// registry is a sparse index with one crate, and its download.
func registry(data []byte) http.HandlerFunc {
	sum := sha256.Sum256(data)
	return func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/index/config.json":
			fmt.Fprintf(rw, `{"dl":"http://%s/dl/{crate}/{version}","auth-required":true}`, r.Host)
		case "/index/gu/ar/guarded-crate":
			fmt.Fprintf(rw, `{"name":"guarded-crate","vers":"0.1.0","deps":[],"cksum":"%s","features":{},"yanked":false}`, hex.EncodeToString(sum[:]))
		case "/dl/guarded-crate/0.1.0":
			_, _ = rw.Write(data)
		default:
			http.NotFound(rw, r)
		}
	}
}

// cargo fetches a crate from a registry that wants tokens, which the provider gives it: alone, and with the scheme in front.
func TestCargo(t *testing.T) {
	u := newUser(t)
	g := newGuarded(t, u, (*httptest.Server).Start, "/index/", registry(crate(t, "guarded-crate")))
	token := u.must("get", g.URL+"/index/")
	u.write("project/Cargo.toml", "[package]\nname = \"project\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nguarded-crate = { version = \"0.1\", registry = \"guarded\" }\n")
	u.write("project/src/lib.rs", "")
	fetch := func(provider string) result {
		if err := os.RemoveAll(u.path("cargo")); err != nil {
			t.Fatal(err)
		}
		if provider == "" {
			u.with("CARGO_HOME="+u.path("cargo")).must("setup", "cargo", "--server", g.URL+"/index/", "--name", "guarded", "--yes")
		} else {
			u.write("cargo/config.toml", "[registries.guarded]\nindex = \"sparse+"+g.URL+"/index/\"\ncredential-provider = ["+provider+"]\n")
		}
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		c := u.with("CARGO_HOME="+u.path("cargo"), "RUSTUP_HOME="+filepath.Join(home, ".rustup"), "RUSTUP_TOOLCHAIN="+os.Getenv("RUSTUP_TOOLCHAIN")).command("cargo", "fetch")
		c.Dir = u.path("project")
		return u.finish(c)
	}
	for provider, header := range map[string]string{
		"":                       "Bearer TOKEN", // what setup writes
		`"cargo-credential-mcp"`: "TOKEN", `"mcp-credential", "--bearer"`: "Bearer TOKEN", `"cargo:token-from-stdout", "mcp-credential", "get", "` + g.URL + `/index/"`: "TOKEN",
	} {
		r := fetch(provider)
		if r.code != 0 || !strings.Contains(r.stderr, "guarded-crate v0.1.0") {
			t.Errorf("%s: %d %s", provider, r.code, r.stderr)
		}
		g.wasGiven(t, header, token)
	}
	if r := fetch(`"cargo-credential-mcp", "--nonsense"`); r.code == 0 || !strings.Contains(r.stderr, "the one argument that can follow the provider in cargo's configuration is --bearer") {
		t.Errorf("a wrong argument: %d %s", r.code, r.stderr)
	}
	u.must("logout", g.URL+"/index/")
	if r := fetch(`"cargo-credential-mcp"`); r.code == 0 || !strings.Contains(r.stderr, "no token found") || strings.Contains(r.stderr, "mcp-credential:") {
		t.Errorf("an unknown registry: %d %s", r.code, r.stderr)
	}
}

// curl takes the header from a file or from stdin, and shells take the variable.
func TestCurlAndShells(t *testing.T) {
	u := newUser(t)
	g := newGuarded(t, u, (*httptest.Server).Start, "", hello)
	token := u.must("get", g.URL)
	r := u.say("", "sh", "-c", `mcp-credential get --output header "$1" | curl --silent --fail -H @- "$1/x"`, "sh", g.URL)
	if r.code != 0 || r.stdout != "hello" {
		t.Errorf("curl: %d %q %s", r.code, r.stdout, r.stderr)
	}
	g.wasGiven(t, "Bearer TOKEN", token)
	posix := `eval "$(mcp-credential get --output env --shell posix "$1")"; printenv MCP_ACCESS_TOKEN`
	for shell, args := range map[string][]string{
		"sh": {"-c", posix, "sh", g.URL}, "bash": {"--norc", "-c", posix, "bash", g.URL}, "zsh": {"-f", "-c", posix, "zsh", g.URL},
		"fish": {"--no-config", "-c", `mcp-credential get --output env --shell fish $argv[1] | source; printenv MCP_ACCESS_TOKEN`, g.URL},
	} {
		if r := u.say("", shell, args...); r.code != 0 || r.stdout != token+"\n" {
			t.Errorf("%s: %d, %d characters; %s", shell, r.code, len(r.stdout), r.stderr)
		}
	}
}

// buildClients makes the program that has the client libraries, from its own module.
func buildClients(dir string) *exec.Cmd {
	c := exec.Command("go", "build", "-o", filepath.Join(dir, "clients"), ".")
	c.Dir, c.Env = "clients", append(os.Environ(), "CGO_ENABLED=0")
	return c
}

//go:build integration && linux

package integration

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// gitHost is a smart-http git server whose repository takes the access tokens of a fakeworld as passwords or as Bearer
// tokens, and strangerPassword from a user that our program does not know.
type gitHost struct {
	*httptest.Server
	world *fakeworld.World
	files string // where repo.git lies
}

const (
	repository       = "/repo.git"
	strangerUser     = "stranger"
	strangerPassword = "hunter2-correct-battery-staple"
)

// newGitHost makes the repository in the account's home. The host's protected resource metadata names the fakeworld's
// resource; the account's configuration says that this is all right.
func newGitHost(t *testing.T, u *user) *gitHost {
	t.Helper()
	g := &gitHost{world: strictWorld(t), files: u.home}
	u.git("init", "--quiet", "--bare", u.path("repo.git"))
	tree := strings.TrimSpace(u.git("-C", u.path("repo.git"), "hash-object", "-w", "-t", "tree", "/dev/null"))
	commit := strings.TrimSpace(u.git("-C", u.path("repo.git"), "-c", "user.name=n", "-c", "user.email=e@example.invalid", "commit-tree", "-m", "first", tree))
	u.git("-C", u.path("repo.git"), "update-ref", "refs/heads/main", commit)
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(g.serve)) // serve reads g.URL
	g.Start()
	t.Cleanup(g.Close)
	return g
}

func (g *gitHost) serve(rw http.ResponseWriter, r *http.Request) {
	const wellKnown = "/.well-known/oauth-protected-resource"
	switch {
	case r.URL.Path == wellKnown+repository:
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"resource":%q,"authorization_servers":[%q],"scopes_supported":["mcp:read"]}`, g.world.ServerURL(), g.world.Issuer())
	case !strings.HasPrefix(r.URL.Path, repository):
		http.NotFound(rw, r)
	case !g.admits(r):
		rw.Header().Add("WWW-Authenticate", `Bearer resource_metadata="`+g.URL+wellKnown+repository+`"`)
		rw.Header().Add("WWW-Authenticate", `Basic realm="git"`)
		rw.WriteHeader(http.StatusUnauthorized)
	default:
		program, _ := exec.LookPath("git")
		(&cgi.Handler{Path: program, Args: []string{"http-backend"}, Root: "/", Stderr: io.Discard,
			Env: []string{"GIT_PROJECT_ROOT=" + g.files, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=somebody"}}).ServeHTTP(rw, r)
	}
}

// admits asks the fakeworld about the token.
func (g *gitHost) admits(r *http.Request) bool {
	user, token, basic := r.BasicAuth()
	if basic && user == strangerUser {
		return token == strangerPassword
	}
	if !basic {
		token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, g.world.ServerURL()+"/ping", nil)
	if err != nil || token == "" {
		return false
	}
	ask.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(ask)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// git runs git for the account, which has to succeed.
func (u *user) git(args ...string) string {
	u.t.Helper()
	r := u.finish(u.command("git", args...))
	if r.code != 0 {
		u.t.Fatalf("git %v: %d %s", args, r.code, r.stderr)
	}
	return r.stdout
}

// gitUser is an account that is signed in to the host, whose git has our program between two other helpers.
func gitUser(t *testing.T) (*user, *gitHost) {
	t.Helper()
	u := newUser(t)
	u.env["GIT_CONFIG_NOSYSTEM"], u.env["GIT_CONFIG_GLOBAL"], u.env["GIT_TERMINAL_PROMPT"] = "1", u.path("gitconfig"), "0"
	g := newGitHost(t, u)
	u.configure(`store = "file"`, `passphrase_file = "`+u.path("passphrase")+`"`,
		`[servers."`+g.URL+repository+`"]`, `resource = "`+g.world.ServerURL()+`"`)
	u.dummy("before")
	u.dummy("after")
	u.helpers(u.path("before"), bin("git-credential-mcp"), u.path("after"))
	u.must("login", g.URL+repository)
	return u, g
}

// dummy writes a helper that notes what it is told and knows nothing.
func (u *user) dummy(name string) {
	u.t.Helper()
	u.script(name, `echo "verb=$1" >>`+u.path(name+".log")+"\ncat >>"+u.path(name+".log"))
}

// script writes a program for sh.
func (u *user) script(name, text string) {
	u.t.Helper()
	u.write(name, "#!/bin/sh\n"+text+"\n")
	if err := os.Chmod(u.path(name), 0o700); err != nil {
		u.t.Fatal(err)
	}
}

// helpers writes the account's git configuration.
func (u *user) helpers(programs ...string) {
	u.t.Helper()
	text := "[credential]\n"
	for _, p := range programs {
		text += "\thelper = " + p + "\n"
	}
	u.write("gitconfig", text)
}

func TestGitCredential(t *testing.T) {
	u, g := gitUser(t)
	request := "url=" + g.URL + repository + "\n\n"
	r := u.say(request, "git", "credential", "fill")
	token := fromGit(r.stdout)
	if r.code != 0 || !strings.Contains(r.stdout, "username=oauth2\n") || !strings.Contains(r.stdout, "password_expiry_utc=") && gitKnows(u, "2.40") {
		t.Fatalf("fill: %d %q %s", r.code, r.stdout, r.stderr)
	}
	mustAccept(t, g.world.ServerURL(), token)
	before := u.contents()
	if r := u.say(r.stdout+"\n", "git", "credential", "approve"); r.code != 0 || r.stderr != "" {
		t.Errorf("approve: %d %s", r.code, r.stderr)
	}
	if !maps.Equal(u.contents(), before) {
		t.Error("git's approval of our own answer changed the cache")
	}
	if r := u.say(r.stdout+"\n", "git", "credential", "reject"); r.code != 0 || r.stderr != "" {
		t.Errorf("reject: %d %s", r.code, r.stderr)
	}
	again := fromGit(u.say(request, "git", "credential", "fill").stdout)
	if again == token {
		t.Error("the rejected token came back")
	}
	mustAccept(t, g.world.ServerURL(), again)
}

func gitKnows(u *user, version string) bool {
	var major, minor, wantMajor, wantMinor int
	_, _ = fmt.Sscanf(u.git("version"), "git version %d.%d", &major, &minor)
	_, _ = fmt.Sscanf(version, "%d.%d", &wantMajor, &wantMinor)
	return major > wantMajor || major == wantMajor && minor >= wantMinor
}

func TestGitLsRemote(t *testing.T) {
	u, g := gitUser(t)
	for _, how := range []string{"warm", "cold", "with the path"} {
		switch how {
		case "cold":
			u.must("erase", g.URL+repository)
		case "with the path":
			u.git("config", "--file", u.path("gitconfig"), "credential.useHttpPath", "true")
		}
		r := u.finish(u.command("git", "ls-remote", g.URL+repository))
		if r.code != 0 || !strings.Contains(r.stdout, "refs/heads/main") {
			t.Errorf("%s: %d %s", how, r.code, r.stderr)
		}
		measure(t, "git ls-remote, "+how, r.took)
	}
	if s := g.world.Stats(); s.Reuse != 0 || s.TokenOK["refresh_token"] != 1 {
		t.Errorf("token requests %v, reuse %d", s.Token, s.Reuse)
	}
}

// TestGitUnknownServer wants git to end as it would without us: same words, same code, no prompt, no network of ours.
func TestGitUnknownServer(t *testing.T) {
	u, _ := gitUser(t)
	other := newGitHost(t, bareGit(t))
	before := u.contents()
	with := u.finish(u.command("git", "ls-remote", other.URL+repository))
	u.helpers(u.path("before"), u.path("after"))
	without := u.finish(u.command("git", "ls-remote", other.URL+repository))
	if with.code == 0 || with.code != without.code || with.stderr != without.stderr {
		t.Errorf("with us %d %q, without us %d %q", with.code, with.stderr, without.code, without.stderr)
	}
	if with.took > without.took+2*time.Second {
		t.Errorf("with us %v, without us %v", with.took, without.took)
	}
	if s := other.world.Stats(); s.HTTP["GET /.well-known/oauth-authorization-server"] != 0 || len(s.TokenRequests) != 0 {
		t.Errorf("requests: %v", s.HTTP)
	}
	if !maps.Equal(u.contents(), before) {
		t.Error("the home has changed")
	}
}

// bareGit is an account to keep another host's repository in.
func bareGit(t *testing.T) *user {
	u := bareUser(t)
	u.env["GIT_CONFIG_NOSYSTEM"], u.env["GIT_CONFIG_GLOBAL"] = "1", "/dev/null"
	return u
}

// TestGitKeepsOtherPasswords has another helper answer for an unknown server. git tells every helper about that
// password, also us; it must be nowhere in our home.
func TestGitKeepsOtherPasswords(t *testing.T) {
	u, _ := gitUser(t)
	other := newGitHost(t, bareGit(t))
	u.script("stranger", `[ "$1" = get ] || exit 0`+"\necho username="+strangerUser+"\necho password="+strangerPassword)
	for _, order := range [][]string{{bin("git-credential-mcp"), u.path("stranger"), u.path("after")}, {u.path("stranger"), bin("git-credential-mcp"), u.path("after")}} {
		u.helpers(order...)
		for _, withPath := range []string{"false", "true"} {
			before := u.contents()
			r := u.finish(u.command("git", "-c", "credential.useHttpPath="+withPath, "ls-remote", other.URL+repository))
			if r.code != 0 || !strings.Contains(r.stdout, "refs/heads/main") || strings.Contains(r.stderr, "mcp-credential") {
				t.Errorf("%d %s", r.code, r.stderr)
			}
			if !maps.Equal(u.contents(), before) {
				t.Error("a stranger's password changed our home")
			}
		}
	}
	if log := u.read("after.log"); !strings.Contains(log, "verb=store") || !strings.Contains(log, strangerPassword) {
		t.Error("git did not tell the helpers about the password")
	}
	for name, text := range u.contents() {
		if strings.Contains(text, strangerPassword) {
			t.Errorf("the stranger's password is in %s", name)
		}
	}
	if all := u.status(); len(all) != 1 {
		t.Errorf("%d servers", len(all))
	}
}

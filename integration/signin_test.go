//go:build integration && linux

package integration

import (
	"bufio"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/helper"
)

// TestSignIns goes through every way to sign in, up to a token that the protected server takes.
func TestSignIns(t *testing.T) {
	p := startProvider(t, "--access-ttl", "60")
	for way, signIn := range map[string]func(t *testing.T, u *user, p *provider){
		"browser": byBrowser, "device": byDevice, "no browser": byPaste,
	} {
		t.Run(way, func(t *testing.T) {
			u := newUser(t)
			signIn(t, u, p)
			token := u.must("get", p.Server)
			mustAccept(t, p.Server, token)
			if l := u.line(p.Server); l.State != helper.StateValid || !l.HasRefresh || l.Issuer != p.Issuer || l.Resource != p.Server {
				t.Errorf("status: %+v", l)
			}
			u.must("erase", p.Server)
			mustAccept(t, p.Server, u.must("get", p.Server))
		})
	}
	s := p.stats()
	if s.Registrations != 3 || s.Reuse != 0 || s.TokenOK["refresh_token"] != 3 || len(s.TokenRequests) < 6 {
		t.Errorf("%+v", s)
	}
	for _, r := range s.TokenRequests {
		if r.Params.Get("resource") != p.Server {
			t.Errorf("a %s request names the resource %q", r.Grant, r.Params["resource"])
		}
	}
}

func byBrowser(t *testing.T, u *user, p *provider) {
	r := u.run("login", p.Server)
	if r.code != 0 || !strings.Contains(r.stderr, p.Server) || !strings.Contains(r.stderr, "mcp:read mcp:write") {
		t.Fatalf("%d: %s", r.code, r.stderr)
	}
	measure(t, "login with a browser that approves at once", r.took)
}

func byDevice(t *testing.T, u *user, p *provider) {
	c := u.command(bin("mcp-credential"), "login", "--device", p.Server)
	stderr := begin(t, c)
	line := lineWith(t, stderr, "enter the code")
	if !strings.Contains(line, p.Issuer) {
		t.Errorf("%q", line)
	}
	p.control(`{"approve_devices": true}`)
	drain(t, c, stderr)
}

// byPaste signs in with a browser that is on another machine: it ends on a loopback address that it cannot open.
func byPaste(t *testing.T, u *user, p *provider) {
	c := u.command(bin("mcp-credential"), "login", "--no-browser", p.Server)
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := begin(t, c)
	address := lineWith(t, stderr, p.Issuer+"/auth?")
	if _, err := stdin.Write([]byte(elsewhere(t, address, p.Issuer) + "\n")); err != nil {
		t.Fatal(err)
	}
	drain(t, c, stderr)
}

// elsewhere opens an address in a browser that reaches the issuer and nothing else, and returns where that ends.
func elsewhere(t *testing.T, address, issuer string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	here := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), issuer) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := here.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	end, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || end.Query().Get("code") == "" {
		t.Fatalf("the browser ended with %s at %q", resp.Status, end)
	}
	return end.String()
}

func begin(t *testing.T, c *exec.Cmd) *bufio.Scanner {
	t.Helper()
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return bufio.NewScanner(pipe)
}

func lineWith(t *testing.T, s *bufio.Scanner, part string) string {
	t.Helper()
	var all []string
	for s.Scan() {
		if all = append(all, s.Text()); strings.Contains(s.Text(), part) {
			return s.Text()
		}
	}
	t.Fatalf("no line with %q in:\n%s", part, strings.Join(all, "\n"))
	return ""
}

func drain(t *testing.T, c *exec.Cmd, s *bufio.Scanner) {
	t.Helper()
	var all []string
	for s.Scan() {
		all = append(all, s.Text())
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %v\n%s", c.Args, err, strings.Join(all, "\n"))
	}
}

// TestSilentRefresh rotates the refresh token twenty times: one HTTP request each, and nothing is used twice.
func TestSilentRefresh(t *testing.T) {
	const rounds = 20
	p := startProvider(t, "--access-ttl", "60")
	u := newUser(t)
	u.must("login", p.Server)
	seen := map[string]bool{u.must("get", p.Server): true}
	p.control(`{"reset_stats": true}`)
	var total time.Duration
	for range rounds {
		u.must("erase", p.Server)
		r := u.run("get", p.Server)
		if r.code != 0 {
			t.Fatalf("%d: %s", r.code, r.stderr)
		}
		total += r.took
		seen[r.stdout] = true
	}
	s := p.stats()
	if want := map[string]int{"POST /token": rounds}; !maps.Equal(s.HTTP, want) || s.TokenOK["refresh_token"] != rounds || s.Reuse != 0 {
		t.Errorf("requests %v, reuse %d", s.HTTP, s.Reuse)
	}
	if len(seen) != rounds+1 {
		t.Errorf("%d different tokens", len(seen))
	}
	mustAccept(t, p.Server, u.must("get", p.Server))
	measure(t, "silent refresh (mean), encrypted file", total/rounds)
}

// TestLogoutRevokes wants the grant gone at the server too.
func TestLogoutRevokes(t *testing.T) {
	p := startProvider(t, "--access-ttl", "60")
	u := newUser(t)
	u.must("login", p.Server)
	token := u.must("get", p.Server)
	mustAccept(t, p.Server, token)
	u.must("logout", p.Server)
	if s := p.stats(); s.Revocations == 0 || s.GrantsRevoked != 1 {
		t.Errorf("%d revocations, %d grants revoked", s.Revocations, s.GrantsRevoked)
	}
	if accepts(t, p.Server, token) {
		t.Error("the access token still works")
	}
	u.refused(u.run("get", "--prompt", "never", p.Server), 3, p.Server, "login")
	if all := u.status(); len(all) != 0 {
		t.Errorf("status: %+v", all)
	}
}

// TestDeadGrant has the server forget the grant: the sign-in is marked dead, costs the server nothing more, and a login
// revives it.
func TestDeadGrant(t *testing.T) {
	p := startProvider(t, "--access-ttl", "60")
	u := newUser(t)
	u.must("login", p.Server)
	refused := u.must("get", p.Server)
	p.control(`{"revoke_all": true, "reset_stats": true}`)
	if r := u.say(`{"url":"`+p.Server+`","access_token":"`+refused+`"}`, bin("mcp-credential"), "erase", "--input", "json"); r.code != 0 {
		t.Fatalf("%d: %s", r.code, r.stderr)
	}
	u.refused(u.run("get", "--prompt", "never", p.Server), 3, "mcp-credential login "+p.Server)
	u.refused(u.run("get", "--prompt", "never", p.Server), 3, "mcp-credential login "+p.Server)
	if s := p.stats(); s.HTTP["POST /token"] != 1 || len(s.HTTP) != 1 {
		t.Errorf("requests: %v", s.HTTP)
	}
	if l := u.line(p.Server); l.State != helper.StateDead || l.LastError == nil || u.signIn().Dead == nil {
		t.Errorf("status: %+v", l)
	}
	u.must("login", p.Server)
	mustAccept(t, p.Server, u.must("get", "--prompt", "never", p.Server))
}

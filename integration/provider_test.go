//go:build integration && linux

package integration

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// providerScript starts the real authorization server.
const providerScript = "../scripts/oidc-provider/start.sh"

// provider is a running real authorization server with its protected server.
type provider struct {
	Server, Issuer, Control string

	t   *testing.T
	pid int
}

// startProvider starts one; args are those of scripts/oidc-provider/server.mjs.
func startProvider(t *testing.T, args ...string) *provider {
	t.Helper()
	c := exec.Command(providerScript, args...)
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGCONT)
		_ = stdin.Close() // that ends it
		_ = c.Wait()
	})
	p := &provider{t: t, pid: c.Process.Pid}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, p)
	}
	if err != nil {
		t.Fatalf("the authorization server says %q: %v", line, err)
	}
	return p
}

// control posts one order to the control listener.
func (p *provider) control(order string) {
	p.t.Helper()
	resp, err := http.Post(p.Control+"/_control", "application/json", strings.NewReader(order))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		p.t.Fatalf("control %s: %s %s", order, resp.Status, body)
	}
}

func (p *provider) stats() fakeworld.Stats {
	p.t.Helper()
	resp, err := http.Get(p.Control + "/_stats")
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var s fakeworld.Stats
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// accepts reports whether a protected server takes the token.
func accepts(t *testing.T, server, token string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/ping", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

// mustAccept wants the server to take the token.
func mustAccept(t *testing.T, server, token string) {
	t.Helper()
	if token == "" || !accepts(t, server, token) {
		t.Fatalf("the server does not take the token (%d characters)", len(token))
	}
}

// expired waits until the cached token of a server has reached its end, as the product sees it.
func (u *user) expired(server string) {
	u.t.Helper()
	eventually(u.t, "the token expires", 30*time.Second, func() bool { return u.line(server).State == helper.StateExpired })
}

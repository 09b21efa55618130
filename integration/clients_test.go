//go:build integration && linux

package integration

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcphost"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// everything is the MCP project's server of every feature behind a door that wants tokens.
func everything(t *testing.T) *fakeworld.World {
	t.Helper()
	port := freePort(t)
	c := exec.Command(nodeScript, "@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp")
	c.Env = append(os.Environ(), "PORT="+port)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait()
	})
	eventually(t, "server-everything listens", 30*time.Second, func() bool {
		conn, err := net.Dial("tcp", "localhost:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "localhost:" + port})
	proxy.FlushInterval = -1
	return strictWorld(t, func(o *fakeworld.Options) { o.MCP = proxy })
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// inspect has the inspector start a bridge to the server, and returns what it prints.
func (u *user) inspect(server string, args ...string) string {
	u.t.Helper()
	script, err := filepath.Abs(nodeScript)
	if err != nil {
		u.t.Fatal(err)
	}
	argv := append([]string{"@modelcontextprotocol/inspector/clients/launcher/build/index.js", "--cli"}, args...)
	r := u.finish(u.command(script, append(argv, "--transport", "stdio", bin("mcp-credential"), "bridge", server)...))
	if r.code != 0 {
		u.t.Fatalf("inspector %v: %d\n%s%s", args, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// wants fails where a text lacks one of the words.
func wants(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s: no %q in %.1000s", what, w, text)
		}
	}
}

func TestInspector(t *testing.T) {
	t.Parallel()
	t.Run("the Go SDK's server", func(t *testing.T) {
		w, u := strictWorld(t, func(o *fakeworld.Options) { o.MCP = mcpserver.Handler() }), newUser(t)
		u.must("login", w.ServerURL())
		wants(t, "list", u.inspect(w.ServerURL(), "--method", "tools/list"), `"echo"`, `"whoami"`)
		wants(t, "call", u.inspect(w.ServerURL(), "--method", "tools/call", "--tool-name", "echo", "--tool-arg", "text=grüße"), "grüße")
	})
	t.Run("server-everything", func(t *testing.T) {
		w, u := everything(t), newUser(t)
		u.must("login", w.ServerURL())
		wants(t, "list", u.inspect(w.ServerURL(), "--method", "tools/list"), `"get-sum"`, `"trigger-long-running-operation"`)
		wants(t, "call", u.inspect(w.ServerURL(), "--method", "tools/call", "--tool-name", "get-sum", "--tool-arg", "a=2", "b=40"), "42")
		wants(t, "prompts", u.inspect(w.ServerURL(), "--method", "prompts/list"), `"simple-prompt"`)
		wants(t, "prompt", u.inspect(w.ServerURL(), "--method", "prompts/get", "--prompt-name", "simple-prompt"), `"messages"`)
		list := u.inspect(w.ServerURL(), "--method", "resources/list")
		uri := firstURI(t, list)
		wants(t, "resource", u.inspect(w.ServerURL(), "--method", "resources/read", "--uri", uri), uri, `"contents"`)
	})
}

func firstURI(t *testing.T, list string) string {
	t.Helper()
	var r struct{ Resources []struct{ URI string } }
	if err := json.Unmarshal([]byte(list), &r); err != nil || len(r.Resources) == 0 {
		t.Fatalf("%v in %.500s", err, list)
	}
	return r.Resources[0].URI
}

// bridge starts a bridge to the server, with answer as the host's side of what the server asks.
func (u *user) bridge(server string, answer mcphost.Answer) *mcphost.Host {
	u.t.Helper()
	c := exec.Command(bin("mcp-credential"), "bridge", server)
	c.Env, c.Dir, c.Stderr = u.environ(), u.home, os.Stderr
	h, err := mcphost.Start(c, answer)
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() {
		if err := h.Close(); err != nil {
			u.t.Errorf("the bridge ended with %v", err)
		}
	})
	return h
}

// tool calls a tool, which has to succeed, and returns the result.
func tool(t *testing.T, h *mcphost.Host, name string, params map[string]any) string {
	t.Helper()
	params["name"] = name
	result, err := h.Call(t.Context(), "tools/call", params)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(result)
}

// TestServerAsks has the server report progress and ask the host for a completion, its roots and an elicitation. Nobody
// has signed in before: the first request offers it.
func TestServerAsks(t *testing.T) {
	t.Parallel()
	w, u := everything(t), newUser(t)
	var progress atomic.Int32
	h := u.bridge(w.ServerURL(), func(method string, params json.RawMessage) (any, error) {
		switch method {
		case "notifications/progress":
			progress.Add(1)
		case "sampling/createMessage":
			return map[string]any{"role": "assistant", "model": "none", "content": map[string]any{"type": "text", "text": "sampled here"}}, nil
		case "roots/list":
			return map[string]any{"roots": []any{map[string]any{"uri": "file:///nowhere", "name": "a root"}}}, nil
		case "elicitation/create":
			return map[string]any{"action": "decline"}, nil
		}
		return nil, &mcphost.Error{Code: -32601, Message: method}
	})
	capabilities := map[string]any{"sampling": map[string]any{}, "roots": map[string]any{"listChanged": true}, "elicitation": map[string]any{}}
	if _, err := h.Initialize(t.Context(), "2025-11-25", capabilities); err != nil {
		t.Fatal(err)
	}
	list, err := h.Call(t.Context(), "tools/list", map[string]any{})
	wants(t, fmt.Sprint("tools/list ", err), string(list), "trigger-sampling-request", "trigger-elicitation-request")
	tool(t, h, "trigger-long-running-operation", map[string]any{
		"arguments": map[string]any{"duration": 1, "steps": 4}, "_meta": map[string]any{"progressToken": "p"}})
	eventually(t, "four reports of progress", 5*time.Second, func() bool { return progress.Load() >= 4 })
	wants(t, "sampling", tool(t, h, "trigger-sampling-request", map[string]any{"arguments": map[string]any{"prompt": "a word"}}), "sampled here")
	wants(t, "elicitation", strings.ToLower(tool(t, h, "trigger-elicitation-request", map[string]any{"arguments": map[string]any{}})), "declined")
	wants(t, "roots", tool(t, h, "get-roots-list", map[string]any{"arguments": map[string]any{}}), "a root")
	if s := w.Stats(); s.Authorizations != 1 || s.MCP[fakeworld.MCPNoToken] > 2 {
		t.Errorf("sign-ins %d, outcomes %v", s.Authorizations, s.MCP)
	}
}

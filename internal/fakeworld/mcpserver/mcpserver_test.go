package mcpserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// bearer adds a token to every request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

func connect(t *testing.T, server, token string) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	return client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: server, HTTPClient: &http.Client{Transport: bearer(token)}, MaxRetries: -1}, nil)
}

func TestToolsBehindTheGate(t *testing.T) {
	w, err := fakeworld.Start(fakeworld.Options{MCP: mcpserver.Handler()})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := connect(t, w.ServerURL(), "x"); err == nil {
		t.Error("connected with an unknown token")
	}
	issued, err := w.Issue(fakeworld.PublicClient, w.ServerURL(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	session, err := connect(t, w.ServerURL(), issued.Access.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for tool, want := range map[string]string{"echo": `{"text":"hello"}`, "whoami": `"subject":"bob"`} {
		args := map[string]any{}
		if tool == "echo" {
			args["text"] = "hello"
		}
		res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
		if err != nil || res.IsError || len(res.Content) != 1 {
			t.Fatalf("%s: %v %+v", tool, err, res)
		}
		if text := res.Content[0].(*mcp.TextContent).Text; !strings.Contains(text, want) {
			t.Errorf("%s says %s", tool, text)
		}
	}
	w.ExpireAccess()
	if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "whoami"}); err == nil {
		t.Error("an expired token was let through")
	}
}

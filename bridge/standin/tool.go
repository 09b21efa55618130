package standin

import (
	"encoding/json"
	"strings"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// maxToolName bounds the part of our tool's name that is the server's: models take 64 characters, and hosts put the name of
// their own entry before it.
const maxToolName = 24

// toolName is what our tool is called: letters, digits and underscores, which every host and model takes.
func toolName(server string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return ' '
	}, server)
	clean = strings.Join(strings.Fields(clean), "_")
	if len(clean) > maxToolName {
		clean = strings.TrimRight(clean[:maxToolName], "_")
	}
	if clean == "" {
		clean = "server"
	}
	return "sign_in_to_" + clean
}

// ourTool is ours, as tools/list shows it, for a server with that name.
func ourTool(tool, server string) json.RawMessage {
	return encode(struct {
		Name        string         `json:"name"`
		Title       string         `json:"title"`
		Description string         `json:"description"`
		InputSchema map[string]any `json:"inputSchema"`
		Annotations map[string]any `json:"annotations"`
	}{
		tool, "Sign in to " + server,
		"Begins the sign-in to " + server + ". Nobody is signed in there at present, so that its other tools cannot be used. " +
			"Call this as soon as the person wants something that needs " + server + ", and tell the person what the result says; " +
			"the person signs in, never you. Call it again to learn whether the sign-in is done.",
		map[string]any{"type": "object", "properties": map[string]any{}},
		map[string]any{"readOnlyHint": false, "destructiveHint": false, "idempotentHint": true, "openWorldHint": true},
	})
}

// IsSignIn reports whether a request calls our tool. Once it was shown its name is ours, whatever the server lists.
func (s *StandIn) IsSignIn(m *jsonrpc.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return m.Method == "tools/call" && (s.shown || s.signIn) && m.Params.Text("name") == s.toolName
}

// Tools names the server's tools, as far as they are known.
func (s *StandIn) Tools() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.toolNames()
}

// ToolResult answers tools/call with a text for the model.
func ToolResult(id jsonrpc.ID, stateless bool, text string, failed bool) []byte {
	members := map[string]any{"content": []map[string]string{{"type": "text", "text": text}}}
	if failed {
		members["isError"] = true
	}
	if stateless {
		members["resultType"] = resultComplete
	}
	return jsonrpc.NewResult(id, members)
}

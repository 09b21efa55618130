package standin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

func message(t *testing.T, method, params string) *jsonrpc.Message {
	t.Helper()
	m, err := jsonrpc.Parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return &m
}

// resultOf is the result of a response.
func resultOf(t *testing.T, line []byte) jsonrpc.Object {
	t.Helper()
	m, err := jsonrpc.Parse(line)
	if err != nil || m.Result == nil {
		t.Fatalf("%s: %v", line, err)
	}
	return jsonrpc.Members(m.Result)
}

// learnTools has the server list these.
func learnTools(t *testing.T, s *StandIn, names ...string) {
	t.Helper()
	s.Learn(message(t, "tools/list", "{}"), []byte(toolsResult(names...)), false)
}

func toolsResult(names ...string) string {
	var items []string
	for _, name := range names {
		items = append(items, fmt.Sprintf(`{"name":%q,"n":12345678901234567890}`, name))
	}
	return `{"tools":[` + strings.Join(items, ",") + `]}`
}

func initialize(t *testing.T, revision string) *jsonrpc.Message {
	return message(t, "initialize", `{"protocolVersion":"`+revision+`"}`)
}

// restarted is what comes after s, which has left its memory behind.
func restarted(s *StandIn, name string) *StandIn {
	next := New(name)
	next.Recall(s.Update(nil))
	return next
}

// What a server said is said again, as it was, in the next run; what it has not said, is the least there is.
func TestInitializeFromMemory(t *testing.T) {
	s := New("test")
	line, revision := s.Initialize(initialize(t, "2025-06-18"), "why")
	r := resultOf(t, line)
	if revision != "2025-06-18" || r.Text("instructions") != "why" || r.Text("serverInfo", "name") != "test" || string(r.Get("capabilities", "prompts", "listChanged")) != "true" {
		t.Errorf("with nothing known: %s", line)
	}
	if _, revision := s.Initialize(initialize(t, "3000-01-01"), ""); revision != handshakes[0] {
		t.Errorf("an unknown revision is promised %s", revision)
	}
	said := `{"protocolVersion":"2025-06-18","capabilities":{"tools":{"x":1},"logging":{}},"serverInfo":{"name":"real"},"big":12345678901234567890}`
	s.Learn(initialize(t, "2025-11-25"), []byte(said), false)
	next := restarted(s, "test")
	line, revision = next.Initialize(initialize(t, "2025-11-25"), "why")
	r = resultOf(t, line)
	if revision != "2025-06-18" || r.Text("serverInfo", "name") != "real" || string(r.Get("big")) != "12345678901234567890" || r.Get("instructions") != nil ||
		string(r.Get("capabilities")) != `{"logging":{},"tools":{"listChanged":true,"x":1}}` {
		t.Errorf("from memory: %s", line)
	}
	if line, revision = next.Initialize(initialize(t, "2024-11-05"), ""); revision != "2025-06-18" {
		t.Errorf("for another revision: %s", line)
	}
}

// Memory is of this server as of now, and never longer than its bound: the longest list goes first.
func TestMemory(t *testing.T) {
	s := New("test")
	learnTools(t, s, "a", "sign_in_to_test", "b")
	s.Learn(message(t, "prompts/list", "{}"), []byte(`{"prompts":["`+strings.Repeat("x", MaxMemory-500)+`"]}`), false)
	s.Learn(message(t, "resources/list", "{}"), []byte(`{"resources":["`+strings.Repeat("x", 1000)+`"]}`), false)
	kept := s.Update(nil)
	if len(kept) > MaxMemory {
		t.Errorf("%d bytes are kept", len(kept))
	}
	next := New("test")
	next.Recall(kept)
	if got := next.Tools(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the tools are %q", got)
	}
	if all := next.known.all().Lists; all["prompts/list"] != nil || len(all["resources/list"]) != 1 {
		t.Errorf("the lists are %d", len(all))
	}
	learnTools(t, next, "c")
	if both := next.Update(kept); bytes.Contains(both, []byte(`"a"`)) || !bytes.Contains(both, []byte(`"c"`)) || !bytes.Contains(both, []byte("resources/list")) {
		t.Errorf("after another run: %.300s", both)
	}
	for _, broken := range []string{"", "[]", "{", `{"lists":1}`, `{"initialize":{"2025-11-25":"no object"}}`} {
		s := New("test")
		s.Recall([]byte(broken))
		if line, revision := s.Initialize(initialize(t, "2025-11-25"), ""); revision != "2025-11-25" {
			t.Errorf("%q: %s", broken, line)
		}
	}
}

// A list is known once its last page was seen; pages that do not belong to it, and those of our own lists, do not mix.
func TestPages(t *testing.T) {
	s := New("test")
	page := func(cursor, items, next string, ours bool) bool {
		params, more := `{}`, ""
		if cursor != "" {
			params = `{"cursor":"` + cursor + `"}`
		}
		if next != "" {
			more = `,"nextCursor":"` + next + `"`
		}
		return s.Learn(message(t, "tools/list", params), []byte(`{"tools":[{"name":"`+items+`"}]`+more+`}`), ours)
	}
	if page("", "a", "p2", false) || page("", "x", "q2", true) || page("other", "y", "", false) {
		t.Error("half a list is news")
	}
	if len(s.Told()) != 0 || s.Tools() != nil {
		t.Errorf("half a list is known: %v %v", s.Told(), s.Tools())
	}
	if !page("p2", "b", "", false) || !slices.Equal(s.Tools(), []string{"a", "b"}) || !slices.Equal(s.Told(), []string{"tools/list"}) {
		t.Errorf("the whole: %v", s.Tools())
	}
	if s.Changed() != nil {
		t.Error("what the host has just been told has changed")
	}
	page("q2", "z", "", true)
	if got := s.Changed(); !slices.Equal(got, []string{"notifications/tools/list_changed"}) {
		t.Errorf("after a list of our own: %v", got)
	}
}

// While the server is away lists are answered; once it is there, only those that it turns out not to have.
func TestAnswer(t *testing.T) {
	s := New("test")
	ask := func(method string) string {
		t.Helper()
		return string(s.Answer(message(t, method, "{}"), false))
	}
	if got := ask("tools/list"); got != "" {
		t.Errorf("before anything: %s", got)
	}
	s.Initialize(initialize(t, "2025-11-25"), "")
	for method, want := range map[string]string{"tools/list": `{"tools":[]}`, "prompts/list": `{"prompts":[]}`, "resources/templates/list": `{"resourceTemplates":[]}`, "ping": `{}`, "logging/setLevel": `{}`} {
		if got := ask(method); got != `{"jsonrpc":"2.0","id":1,"result":`+want+`}` {
			t.Errorf("%s: %s", method, got)
		}
	}
	if got := string(s.Answer(message(t, "tools/list", `{"cursor":"x"}`), false)); !strings.Contains(got, "-32602") {
		t.Errorf("a page of another list: %s", got)
	}
	if got := ask("tools/call") + ask("resources/read") + ask("completion/complete"); got != "" {
		t.Errorf("what only the server can answer: %s", got)
	}
	s.Learn(initialize(t, "2025-11-25"), []byte(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}`), true)
	s.Arrived()
	if got := ask("tools/list") + ask("ping"); got != "" {
		t.Errorf("the server was not asked: %s", got)
	}
	if got := ask("prompts/list"); !strings.Contains(got, `"prompts":[]`) || !s.Lacks("prompts/list") || s.Lacks("tools/list") {
		t.Errorf("what the server lacks: %s", got)
	}
	learnTools(t, s, "a")
	if s.NeedSignIn(false) || !s.NeedSignIn(true) {
		t.Error("what is news is not said")
	}
	if got := ask("tools/list"); !strings.Contains(got, `"sign_in_to_test"`) || !strings.Contains(got, `"a"`) {
		t.Errorf("without a sign-in: %s", got)
	}
	if got := New("test").Fallback(message(t, "prompts/list", "{}"), false); got != nil {
		t.Errorf("a list that nobody has seen: %s", got)
	}
	if got := string(s.Fallback(message(t, "tools/list", "{}"), true)); !strings.Contains(got, `"a"`) || !strings.Contains(got, `"resultType":"complete"`) {
		t.Errorf("a list that the server could not be asked for: %s", got)
	}
}

// A list that the host was told from memory, and that the server does not have any more, is news.
func TestLacking(t *testing.T) {
	s := New("test")
	s.Learn(initialize(t, "2025-11-25"), []byte(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{}}}`), false)
	s.Learn(message(t, "prompts/list", "{}"), []byte(`{"prompts":[{"name":"a"}]}`), false)
	next := restarted(s, "test")
	next.Initialize(initialize(t, "2025-11-25"), "")
	next.Answer(message(t, "prompts/list", "{}"), false)
	next.Learn(initialize(t, "2025-11-25"), []byte(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}`), true)
	next.Arrived()
	if got := next.Changed(); !slices.Equal(got, []string{"notifications/prompts/list_changed"}) {
		t.Errorf("%v", got)
	}
}

// The server's own tool of that name is its own until ours was shown; then ours has the name.
func TestTwin(t *testing.T) {
	s := New("test")
	call, list := message(t, "tools/call", `{"name":"sign_in_to_test"}`), message(t, "tools/list", "{}")
	raw := []byte(`{"jsonrpc":"2.0","id":1,"result":` + toolsResult("a", "sign_in_to_test") + `}`)
	if s.IsSignIn(call) || !bytes.Equal(s.Screen(list, raw), raw) {
		t.Error("ours was never shown")
	}
	s.NeedSignIn(true)
	s.Answer(list, false)
	s.NeedSignIn(false)
	if got := string(s.Screen(list, raw)); !s.IsSignIn(call) || !strings.HasSuffix(got, toolsResult("a")+"}") {
		t.Errorf("after ours: %s", got)
	}
	if plain := []byte(`{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"sign_in_to_test"}]}}`); !bytes.Equal(s.Screen(message(t, "prompts/list", "{}"), plain), plain) {
		t.Error("a prompt is no tool")
	}
}

func TestToolName(t *testing.T) {
	for server, want := range map[string]string{
		"Example": "example", "mcp.example.com:8080": "mcp_example_com_8080", "Ünïcode – 日本": "n_code", "日本": "server", "": "server",
		"a very long name of a server that goes on": "a_very_long_name_of_a_se",
	} {
		if got := toolName(server); got != "sign_in_to_"+want {
			t.Errorf("%q: %s", server, got)
		}
	}
}

// Space between tokens does not make another list of what comes back from memory.
func TestSpace(t *testing.T) {
	said := []byte("{\"tools\": [ {\"name\": \"a b\"} ]}")
	s := New("test")
	s.Learn(message(t, "tools/list", "{}"), said, false)
	next := restarted(s, "test")
	next.Initialize(initialize(t, "2025-11-25"), "")
	next.Answer(message(t, "tools/list", "{}"), false)
	next.Learn(message(t, "tools/list", "{}"), said, true)
	if changed := next.Changed(); changed != nil {
		t.Errorf("%v", changed)
	}
}

// The tool as hosts see it is a valid one.
func TestTool(t *testing.T) {
	var tool struct {
		Name, Title, Description string
		InputSchema              struct{ Type string }
	}
	if err := json.Unmarshal(ourTool("sign_in_to_x", "X"), &tool); err != nil || tool.InputSchema.Type != "object" || !strings.Contains(tool.Description, "sign-in to X") {
		t.Errorf("%+v %v", tool, err)
	}
}

// What a server says, in whatever shape, is taken without a panic, and what is kept of it is bounded and read again.
func FuzzLearn(f *testing.F) {
	f.Add("tools/list", `{}`, `{"tools":[{"name":"a"}],"nextCursor":"b"}`)
	f.Add("initialize", `{"protocolVersion":"2025-11-25"}`, `{"capabilities":{"tools":[]},"protocolVersion":1}`)
	f.Add("server/discover", `{}`, `{"supportedVersions":[]}`)
	f.Fuzz(func(t *testing.T, method, params, result string) {
		m := &jsonrpc.Message{Method: method, ID: jsonrpc.ID("1"), Params: jsonrpc.Members([]byte(params))}
		if !json.Valid([]byte(params)) || !json.Valid([]byte(result)) {
			return // jsonrpc lets through JSON alone
		}
		s := New("test")
		s.Learn(m, []byte(result), false)
		kept := New("test").Update(s.Update(nil)) // once more, for text that is not UTF-8
		next := New("test")
		next.Recall(kept)
		if again := next.Update(kept); !bytes.Equal(again, kept) {
			t.Errorf("%q became %q", kept, again)
		}
		next.Initialize(&jsonrpc.Message{ID: jsonrpc.ID("1"), Params: jsonrpc.Members([]byte(params))}, "")
		next.Discover(m, "")
		next.Answer(m, false)
	})
}

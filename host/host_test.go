package host

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the programs make of the texts in testdata")

const program = "/opt/bin/mcp-credential"

// bridge puts the bridge into a text, in place of every remote server, or of the one of the examples where there is none.
func bridge(t *testing.T, h Host, text []byte) ([]byte, []Edit) {
	t.Helper()
	servers, err := h.Syntax.Servers(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(servers) == 0 {
		servers = []Server{{Name: "demo", URL: "https://mcp.example.com/mcp"}}
	}
	out, edits, err := Apply(h.Syntax, text, servers, func(Server) Entry { return Entry{Program: program} })
	if err != nil {
		t.Fatal(err)
	}
	return out, edits
}

// Every host's file becomes what its golden text says, in every line end and with a mark before it; what was done is not done
// again, and is taken back byte for byte.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden texts")
	}
	seen := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			hostName, _, _ := strings.Cut(name, "_")
			h, ok := Find(hostName)
			if !ok {
				t.Fatalf("no host %s", hostName)
			}
			seen[hostName] = true
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before, after := a.Files[0].Data, a.Files[1].Data
			got, _ := bridge(t, h, before)
			if *update {
				a.Files[1].Data = got
				if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, after) {
				t.Fatalf("got\n%s\nwant\n%s", got, after)
			}
			for _, form := range []func([]byte) []byte{
				func(b []byte) []byte { return b },
				func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) },
				func(b []byte) []byte { return append(bytes.Clone(bom), b...) },
			} {
				text := form(before)
				out, edits := bridge(t, h, text)
				if len(before) > 0 && !bytes.Equal(out, form(got)) {
					t.Errorf("in another form: %q", out)
				}
				if again, more := bridge(t, h, out); len(more) != 0 {
					t.Errorf("done twice: %q", again)
				}
				if back, ok := Undo(out, text, edits); !ok || !bytes.Equal(back, text) {
					t.Errorf("taken back: %v %q", ok, back)
				}
				changed := append(bytes.Clone(out), '\n') // somebody has been there since
				if back, ok := Undo(changed, text, edits); !ok || !bytes.Equal(back, append(bytes.Clone(text), '\n')) {
					t.Errorf("taken back from a changed text: %v %q", ok, back)
				}
			}
		})
	}
	for _, h := range Table {
		if !seen[h.Name] {
			t.Errorf("%s has no golden text", h.Name)
		}
	}
}

// Edits in any order are taken back, each where it was, also next to characters of several bytes.
func TestEdits(t *testing.T) {
	text := []byte("[mcp_servers.b]\nurl = \"https://b/mcp\"\n[mcp_servers.c]\nurl = \"https://c/mcp\" # ä\n[mcp_servers.a]\nurl = \"https://a/mcp\"\n")
	out, edits := bridge(t, codex, text) // by name, not by place
	if len(edits) != 3 {
		t.Fatalf("%d edits", len(edits))
	}
	changed := append([]byte("# somebody\n"), out...)
	if back, ok := Undo(changed, text, edits); !ok || !bytes.Equal(back, append([]byte("# somebody\n"), text...)) {
		t.Errorf("%v %s", ok, back)
	}
	for _, c := range [][2]string{{"aäb", "aöb"}, {"ä", "äö"}, {"日", "本"}} {
		e := edit([]byte(c[0]), []byte(c[1]), nil)
		if !utf8.ValidString(e.New) || c[0][:e.Offset]+e.New+c[0][e.Offset+e.Len:] != c[1] {
			t.Errorf("%q: %+v", c, e)
		}
	}
}

// What an old entry has besides its URL is found.
func TestServers(t *testing.T) {
	for name, c := range map[string]struct {
		host, text string
		want       Server
	}{
		"oauth of Gemini": {"gemini", `{"mcpServers":{"a":{"httpUrl":"https://h/mcp","oauth":{"clientId":"c","scopes":["x","y"]}}}}`, Server{ClientID: "c", Scopes: []string{"x", "y"}}},
		"port of Copilot": {"copilot", `{"mcpServers":{"a":{"url":"https://h/mcp","oauth":{"clientId":"c","callbackPort":3118}}}}`, Server{ClientID: "c", Redirect: "http://127.0.0.1:3118/"}},
		"auth of Copilot": {"copilot", `{"mcpServers":{"a":{"url":"https://h/mcp","auth":{"redirectPort":19876}}}}`, Server{Redirect: "http://127.0.0.1:19876/"}},
		"oauth of Claude": {"claude-code", `{"mcpServers":{"a":{"url":"https://h/mcp","oauth":{"clientId":"c","callbackPort":3118,"authServerMetadataUrl":"https://as/m"}}}}`, Server{ClientID: "c", Redirect: "http://localhost:3118/callback", MetadataURL: "https://as/m"}},
		"whole redirect":  {"opencode", `{"mcp":{"a":{"url":"https://h/mcp","oauth":{"redirectUri":"http://127.0.0.1:1/x"}}}}`, Server{Redirect: "http://127.0.0.1:1/x"}},
		"scope in a line": {"opencode", `{"mcp":{"a":{"url":"https://h/mcp","oauth":{"scope":"x y"}}}}`, Server{Scopes: []string{"x", "y"}}},
		"ours":            {"cursor", `{"mcpServers":{"a":{"command":"C:\\Tools\\mcp-credential.exe","args":["bridge","https://h/mcp"]}}}`, Server{Ours: true}},
		"our command":     {"claude-code", `{"mcpServers":{"a":{"url":"https://h/mcp","headersHelper":"/x/mcp-credential get"}}}`, Server{Ours: true}},
		"headers":         {"codex", "[mcp_servers.a]\nurl = \"https://h/mcp\"\nhttp_headers = { X-Team = \"b\" }\noauth_client_id = \"c\"\n", Server{ClientID: "c", Headers: map[string]string{"X-Team": "b"}}},
		"bearer":          {"codex", "[mcp_servers.a]\nurl = \"https://h/mcp\"\nbearer_token_env_var = \"T\"\n", Server{Headers: map[string]string{"Authorization": ""}}},
		"headers by line": {"goose", "extensions:\n  a:\n    type: sse\n    uri: 'https://h/mcp'\n    headers:\n      X-Team: b\n", Server{Headers: map[string]string{"X-Team": "b"}}},
		"mcp-remote":      {"cursor", `{"mcpServers":{"a":{"command":"npx","args":["mcp-remote","https://h/mcp","--header","X-Team: b"]}}}`, Server{Headers: map[string]string{"X-Team": "b"}}},
		"arguments":       {"goose", "extensions:\n  a:\n    cmd: npx\n    args:\n      - -y\n      - mcp-remote\n      - https://h/mcp\n", Server{}},
	} {
		h, _ := Find(c.host)
		all, err := h.Syntax.Servers([]byte(c.text))
		if err != nil || len(all) != 1 {
			t.Errorf("%s: %v %v", name, all, err)
			continue
		}
		got := all[0]
		if got.Name != "a" || got.URL != "https://h/mcp" || got.Ours != c.want.Ours || got.ClientID != c.want.ClientID || got.Redirect != c.want.Redirect || got.MetadataURL != c.want.MetadataURL ||
			strings.Join(got.Scopes, " ") != strings.Join(c.want.Scopes, " ") || len(got.Headers) != len(c.want.Headers) || got.Headers["X-Team"] != c.want.Headers["X-Team"] {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// The token command is there for the hosts that have one.
func TestTokenCommand(t *testing.T) {
	s := Server{Name: "a", URL: "https://h/mcp"}
	for name, want := range map[string]string{
		"claude-code": `"headersHelper": "'/opt/my bin/mcp-credential' get"`,
		"codex":       `http_headers_helper = "'/opt/my bin/mcp-credential' get --output headers https://h/mcp"`,
	} {
		h, _ := Find(name)
		out, err := h.Syntax.Put(nil, s, Entry{Program: "/opt/my bin/mcp-credential", Token: true})
		if err != nil || !h.Token || !bytes.Contains(out, []byte(want)) {
			t.Errorf("%s: %s %v", name, out, err)
		}
		all, err := h.Syntax.Servers(out)
		if err != nil || len(all) != 1 || !all[0].Ours {
			t.Errorf("%s does not know its own: %v %v", name, all, err)
		}
	}
}

// A text that cannot be read, or is not written as its host writes it, is an error.
func TestBroken(t *testing.T) {
	s := Server{Name: "a", URL: "https://h/mcp"}
	for _, c := range []struct{ host, text string }{
		{"cursor", `{"mcpServers":`}, {"cursor", `[]`}, {"cursor", `{"mcpServers":[]}`}, {"cursor", `{"mcpServers":{"a":1}}`},
		{"codex", "[mcp_servers"}, {"codex", "mcp_servers.a.url = \"https://h/mcp\"\n"}, {"codex", "[mcp_servers]\na = { url = \"https://h/mcp\" }\n"},
		{"docker", `{"credHelpers":{"h":"pass"}}`}, {"docker", `{"credHelpers":[]}`}, {"docker", `[]`}, {"cargo", "[registries"},
		{"cargo", "[registries.a]\nindex = \"sparse+https://other/\"\n"}, {"cargo", "[registries]\na = { index = \"sparse+https://h/mcp\" }\n"},
		{"cargo", "registries.a.index = \"sparse+https://h/mcp\"\n"}, {"kubernetes", ""}, {"kubernetes", "clusters: []\n"}, {"kubernetes", `{"clusters":[]}`},
		{"kubernetes", "clusters:\n- cluster:\n\tserver: https://h/mcp\n"}, {"kubernetes", "clusters: [{name: c, cluster: {server: 'https://h/mcp'}}]\n"},
		{"kubernetes", "clusters:\n- cluster:\n    server: https://h/mcp\n  name: c\ncontexts:\n- context:\n    cluster: d\n    user: u\n  name: x\n"},
		{"goose", "extensions: {a: {uri: 'https://h/mcp'}}\n"}, {"goose", "extensions:\n  - a\n"}, {"goose", "extensions:\n\ta:\n"},
	} {
		h, _ := Find(c.host)
		out, err := h.Syntax.Put([]byte(c.text), s, Entry{Program: program})
		if err == nil {
			t.Errorf("%s: %q became %q", c.host, c.text, out)
		}
	}
}

// Paths of Windows and names with signs in them are written so that the host reads what was meant.
func TestWindowsPath(t *testing.T) {
	const path = `C:\Program Files\mcp-credential.exe`
	s := Server{Name: "a.b c", URL: "https://h/mcp"}
	for _, h := range Table {
		if h.Caller {
			continue
		}
		out, err := h.Syntax.Put(nil, s, Entry{Program: path})
		if err != nil {
			t.Errorf("%s: %v", h.Name, err)
			continue
		}
		all, err := h.Syntax.Servers(out)
		if err != nil || len(all) != 1 || all[0].Name != s.Name || !all[0].Ours {
			t.Errorf("%s reads %+v %v in\n%s", h.Name, all, err, out)
		}
	}
}

// Each system has its own places, and each host one at least.
func TestPlaces(t *testing.T) {
	home := filepath.FromSlash("/home/ann")
	for _, system := range []string{"linux", "darwin", "windows"} {
		p := Place{OS: system, Home: home, Getenv: func(string) string { return "" }, Glob: func(string) []string { return nil }}
		for _, h := range Table {
			files := h.Files(p)
			if len(files) == 0 || !strings.HasPrefix(files[0], home) {
				t.Errorf("%s on %s: %q", h.Name, system, files)
			}
		}
	}
	p := Place{OS: "windows", Home: home, Getenv: func(name string) string {
		return map[string]string{"APPDATA": "appdata", "CODEX_HOME": "codex", "COPILOT_HOME": "copilot"}[name]
	}, Glob: func(string) []string { return nil }}
	for name, want := range map[string]string{"vscode": "appdata/Code/User/mcp.json", "zed": "appdata/Zed/settings.json", "goose": "appdata/Block/goose/config/config.yaml",
		"claude-desktop": "appdata/Claude/claude_desktop_config.json", "codex": "codex/config.toml", "copilot": "copilot/mcp-config.json", "devin": "appdata/devin/mcp_config.json"} {
		h, _ := Find(name)
		if got := h.Files(p)[0]; got != filepath.FromSlash(want) {
			t.Errorf("%s on Windows: %s", name, got)
		}
	}
}

// Whatever a file holds, it is changed into a text that can be read again, or not at all.
func FuzzPut(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		name, _, _ := strings.Cut(filepath.Base(file), "_")
		f.Add(name, a.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		h, ok := Find(name)
		if !ok {
			return
		}
		before, err := h.Syntax.Servers(text)
		if err != nil {
			return
		}
		s := Server{Name: "a new one", URL: "https://h/mcp"}
		out, err := h.Syntax.Put(bytes.Clone(text), s, Entry{Program: program})
		if err != nil {
			return
		}
		after, err := h.Syntax.Servers(out)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, out, err)
		}
		if h.Caller {
			return
		}
		has := func(all []Server) bool {
			for _, one := range all {
				if one.Name == s.Name {
					return true
				}
			}
			return false
		}
		if !has(before) && (len(after) != len(before)+1 || !has(after)) {
			t.Fatalf("%q became %q: %v, then %v", text, out, before, after)
		}
	})
}

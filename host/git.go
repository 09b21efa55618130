package host

import (
	"path/filepath"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// git is git itself, whose servers are those that somebody names.
var git = Host{
	Name: "git", Title: "git", Programs: []string{"git"}, Caller: true,
	Files: func(p Place) []string {
		if file := p.Getenv("GIT_CONFIG_GLOBAL"); file != "" {
			return []string{file}
		}
		return under(".gitconfig")(p)
	},
	Syntax: gitConfig{},
}

// gitConfig is git's configuration. An entry of ours is a section for the origin of a server.
type gitConfig struct{}

// Servers is Syntax: git has none that are remote MCP servers by their looks. Those of ours have the origin for a URL.
func (gitConfig) Servers(text []byte) (out []Server, err error) {
	origin := ""
	for _, line := range splitLines(text) {
		line = strings.TrimSpace(line)
		if m := gitSection().FindStringSubmatch(line); m != nil {
			origin = m[1]
			continue
		}
		if strings.HasPrefix(line, "[") {
			origin = ""
		}
		m := gitHelper().FindStringSubmatch(line)
		if origin == "" || m == nil {
			continue
		}
		program := strings.NewReplacer(`\\`, `\`, `\ `, " ").Replace(strings.Trim(m[1], `"`))
		out = append(out, Server{Name: origin, URL: origin, Ours: true, Program: program})
	}
	return out, nil
}

var (
	gitSection = lazily(`^\[credential "([^"]+)"\]`)
	gitHelper  = lazily(`^helper = ("?.*git-credential-mcp(?:\.exe)?"?)$`)
)

// Put is Syntax. The empty helper comes first, so that no other helper stores the token.
func (gitConfig) Put(text []byte, s Server, e Entry) ([]byte, error) {
	end := lineEnd(text)
	header := `[credential "` + credential.Origin(s.URL) + `"]`
	helper := strings.ReplaceAll(filepath.Join(filepath.Dir(e.Program), "git-credential-mcp"), `\`, "/")
	body := []string{"helper = ", "helper = " + gitWord(helper), "useHttpPath = true"}
	content := string(text)
	if i := strings.Index(content, header); i >= 0 {
		if strings.Contains(content[i:], "helper = "+gitWord(helper)) {
			return text, nil
		}
		at := i + len(header)
		return []byte(content[:at] + end + "\t" + strings.Join(body, end+"\t") + content[at:]), nil
	}
	if content != "" && !strings.HasSuffix(content, "\n") {
		content += end
	}
	return []byte(content + header + end + "\t" + strings.Join(body, end+"\t") + end), nil
}

// gitWord writes the path of a helper: git runs an absolute one as it is, in a shell.
func gitWord(path string) string {
	if strings.ContainsAny(path, " #;") {
		return `"` + shellWord(path) + `"`
	}
	return path
}

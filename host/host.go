// Package host knows where MCP hosts keep their servers and what an entry of ours looks like there: one file for each host, one
// table. It changes texts and leaves the rest of a file as it is, byte for byte; reading, writing and asking are left to its callers.
package host

import (
	"bytes"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Place is a machine and its user, as far as places of files depend on them.
type Place struct {
	OS      string // runtime.GOOS
	Home    string // of the user
	Getenv  func(string) string
	Program string // absolute path of mcp-credential
	Glob    func(pattern string) []string
}

// Host is one MCP host.
type Host struct {
	Name     string   // on our command line
	Title    string   // for people
	Programs []string // that are on PATH where it is installed
	Files    func(p Place) []string
	Project  string // its file in a project, relative to that; empty: it has none
	Syntax   Syntax
	Token    bool // it has a token command
	Caller   bool // no MCP host: it has no remote servers but those that somebody names
}

// Table is every host, in the order of the documentation.
var Table = []Host{copilot, claudeCode, codex, vscode, cursor, gemini, openCode, zed, goose, claudeDesktop, devin, git, docker, kubernetes, cargo, bazel}

// Find returns a host by its name.
func Find(name string) (Host, bool) {
	i := slices.IndexFunc(Table, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return Table[i], true
}

// Server is an entry of a host for a remote server.
type Server struct {
	Group string // where in the file the entry is; empty where there is one place
	Name  string
	URL   string

	Ours        bool     // it is an entry of ours already
	Program     string   // of ours: what it starts, as it is written there
	Args        []string // of ours: what that is given; nil for a token command
	Home        string   // of ours: the directory that it names for us; empty: the usual one
	Headers     map[string]string
	ClientID    string
	Scopes      []string
	Redirect    string // redirect_uri of the client on this machine; empty: any port
	MetadataURL string // of the authorization server's metadata
}

// Entry is what takes the place of a remote server's entry.
type Entry struct {
	Program string
	Token   bool     // the token command; else the bridge
	Flags   []string // of the bridge
}

// Args are those of the bridge for a server.
func (e Entry) Args(s Server) []string {
	return append([]string{"bridge", s.URL}, e.Flags...)
}

// Syntax reads and changes the text of a configuration file. Errors say what is wrong with the text.
type Syntax interface {
	// Servers are the remote servers in a text, and those of ours. An empty text has none.
	Servers(text []byte) ([]Server, error)
	// Put returns text with e in place of the entry of s, or with an entry more where there is none of that name.
	Put(text []byte, s Server, e Entry) ([]byte, error)
}

// Edit is one change of a text: Len bytes at Offset of the text before all changes become New.
type Edit struct {
	Offset int    `json:"offset"`
	Len    int    `json:"len"`
	New    string `json:"new"`
}

// Apply puts entries into a text, one after the other, and returns the new text with what was changed where.
func Apply(syntax Syntax, text []byte, servers []Server, entry func(Server) Entry) ([]byte, []Edit, error) {
	var edits []Edit
	for _, s := range servers {
		next, err := syntax.Put(text, s, entry(s))
		if err != nil {
			return nil, nil, err
		}
		if bytes.Equal(next, text) {
			continue
		}
		edits = append(edits, edit(text, next, edits))
		text = next
	}
	return text, edits, nil
}

// edit is the change from text to next, where earlier edits have led to text.
func edit(text, next []byte, earlier []Edit) Edit {
	start := 0
	for start < min(len(text), len(next)) && text[start] == next[start] {
		start++
	}
	end := 0
	for end < min(len(text), len(next))-start && text[len(text)-1-end] == next[len(next)-1-end] {
		end++
	}
	for start > 0 && start < len(next) && !utf8.RuneStart(next[start]) { // whole characters, which JSON can hold
		start--
	}
	for end > 0 && !utf8.RuneStart(next[len(next)-end]) {
		end--
	}
	e := Edit{Offset: start, Len: len(text) - end - start, New: string(next[start : len(next)-end])}
	earlier = slices.SortedFunc(slices.Values(earlier), func(x, y Edit) int { return x.Offset - y.Offset })
	for _, other := range earlier { // from the front, so that e is where it would be with those taken back that were passed
		if other.Offset < e.Offset {
			e.Offset -= len(other.New) - other.Len
		}
	}
	return e
}

// Undo takes the edits of a text back in text, which others have changed since. before is the text as it was before them. It
// reports false where an edit is not to be found, or more than once.
func Undo(text, before []byte, edits []Edit) ([]byte, bool) {
	for _, e := range slices.Backward(edits) {
		if e.New == "" || e.Offset < 0 || e.Len < 0 || e.Offset > len(before) || e.Len > len(before)-e.Offset || bytes.Count(text, []byte(e.New)) != 1 {
			return nil, false
		}
		text = bytes.Replace(text, []byte(e.New), before[e.Offset:e.Offset+e.Len], 1)
	}
	return text, true
}

// homeVariable moves our home (home.Variable).
const homeVariable = "MCPCRED_HOME"

// bom is the mark that Windows editors put at the beginning of UTF-8.
var bom = []byte("\ufeff")

func withoutBOM(text []byte) []byte { return bytes.TrimPrefix(text, bom) }

// lineEnd is how the lines of a text end.
func lineEnd(text []byte) string {
	if bytes.Contains(text, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// Secret reports whether a header is one that must not be copied to where other programs may see it.
func Secret(header string) bool {
	header = strings.ToLower(header)
	return slices.ContainsFunc([]string{"auth", "key", "token", "secret", "cookie", "password", "credential"}, func(word string) bool { return strings.Contains(header, word) })
}

// HeaderNames are the names of a server's headers, sorted.
func (s Server) HeaderNames() []string { return slices.Sorted(maps.Keys(s.Headers)) }

// remote reports whether a text is the URL of a server, and returns it as we spell it.
func remote(text string) (string, bool) {
	url, err := credential.ParseServerURL(text)
	return url, err == nil
}

// isProgram reports whether a command is our program, wherever it is.
func isProgram(command string) bool {
	base := strings.ToLower(filepath.Base(strings.ReplaceAll(command, `\`, "/")))
	return strings.TrimSuffix(base, ".exe") == "mcp-credential"
}

// readFlags takes the headers up that mcp-remote is given on its command line.
func (s *Server) readFlags(args []string) {
	for i, a := range args[:max(0, len(args)-1)] {
		if name, value, ok := strings.Cut(args[i+1], ":"); ok && a == "--header" {
			s.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
}

// readCommand takes the command line of an entry up, and reports whether it is one of ours, or of mcp-remote's, which does a
// part of what we do. One of ours that starts no bridge has no URL.
func (s *Server) readCommand(words []string) (ok bool) {
	if len(words) == 0 {
		return false
	}
	if isProgram(words[0]) {
		s.Ours, s.Program, s.Args = true, words[0], words[1:]
		if len(words) > 2 && words[1] == "bridge" {
			s.URL = firstRemote(words[2:])
		}
		for i, a := range words {
			if value, joined := strings.CutPrefix(a, "--home="); joined {
				s.Home = value
			} else if a == "--home" && i+1 < len(words) {
				s.Home = words[i+1]
			}
		}
		return true
	}
	i := slices.IndexFunc(words, func(a string) bool { return a == "mcp-remote" || strings.HasPrefix(a, "mcp-remote@") })
	if i < 0 {
		return false
	}
	s.URL = firstRemote(words[i:])
	s.readFlags(words)
	return s.URL != ""
}

// firstRemote is the first URL of a server among arguments.
func firstRemote(args []string) string {
	for _, a := range args {
		if url, ok := remote(a); ok {
			return url
		}
	}
	return ""
}

// FlagsAfterURL are the arguments of a bridge of ours but for its name and the URL.
func (s Server) FlagsAfterURL() (flags []string) {
	for i, a := range s.Args {
		if url, ok := remote(a); i > 0 && !(ok && url == s.URL) {
			flags = append(flags, a)
		}
	}
	return flags
}

// readTokenCommand takes a token command up, and reports whether it is one of ours.
func (s *Server) readTokenCommand(command string) bool {
	program, _, ok := strings.Cut(command+" ", " get ")
	program = strings.Trim(strings.TrimPrefix(strings.TrimSpace(program), "& "), `"'`)
	if !ok || !isProgram(program) {
		return false
	}
	s.Ours, s.Program = true, strings.NewReplacer(`\ `, " ").Replace(program)
	return true
}

// under is the files below the user's home.
func under(paths ...string) func(Place) []string {
	return func(p Place) []string {
		var out []string
		for _, path := range paths {
			out = append(out, filepath.Join(p.Home, filepath.FromSlash(path)))
		}
		return out
	}
}

// appData is the folder of settings of programs with windows, by the custom of each system.
func (p Place) appData() string {
	switch p.OS {
	case "windows":
		if dir := p.Getenv("APPDATA"); dir != "" {
			return dir
		}
		return filepath.Join(p.Home, "AppData", "Roaming")
	case "darwin":
		return filepath.Join(p.Home, "Library", "Application Support")
	}
	return filepath.Join(p.Home, ".config")
}

// lazily is a pattern that is compiled when it is first used: the core starts without it.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

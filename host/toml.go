package host

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// codexTOML is Codex's configuration: a table [mcp_servers.NAME] for each server.
type codexTOML struct{}

const codexServers = "mcp_servers"

// remoteKeys are those of a table that mean something for a remote server alone; some are tables of their own.
var remoteKeys = []string{"url", "http_headers", "env_http_headers", "http_headers_helper", "bearer_token", "bearer_token_env_var", "oauth", "oauth_client_id", "oauth_resource", "scopes", "auth"}

// Servers is Syntax.
func (codexTOML) Servers(text []byte) ([]Server, error) {
	var file struct {
		Servers map[string]map[string]any `toml:"mcp_servers"`
	}
	if err := readTOML(text, &file); err != nil {
		return nil, err
	}
	var out []Server
	for _, name := range slices.Sorted(maps.Keys(file.Servers)) {
		e := file.Servers[name]
		s := Server{Name: name, Headers: map[string]string{}}
		address, _ := e["url"].(string)
		url, ok := remote(address)
		if s.URL = url; !ok && !s.readCommand(append(texts(e["command"]), texts(e["args"])...)) {
			continue
		}
		if helper, ok := e["http_headers_helper"].(string); ok {
			s.readTokenCommand(helper)
		}
		if env, ok := e["env"].(map[string]any); ok && s.Home == "" {
			s.Home, _ = env[homeVariable].(string)
		}
		for _, member := range []string{"http_headers", "env_http_headers"} {
			values, _ := e[member].(map[string]any)
			for name, value := range values {
				s.Headers[name] = fmt.Sprint(value)
			}
		}
		if _, bearer := e["bearer_token_env_var"]; bearer {
			s.Headers["Authorization"] = ""
		}
		s.readOAuth(e, "")
		s.ClientID, _ = e["oauth_client_id"].(string)
		if o, ok := e["oauth"].(map[string]any); ok {
			s.readOAuth(o, "")
		}
		out = append(out, s)
	}
	return out, nil
}

// readTOML decodes a text. An error names its line.
func readTOML(text []byte, into any) error {
	err := toml.Unmarshal(withoutBOM(text), into)
	var syntax *toml.DecodeError
	if errors.As(err, &syntax) {
		row, _ := syntax.Position()
		return fmt.Errorf("line %d: %w", row, err)
	}
	return err
}

// lineTail is the end of a line: LF, CR LF or nothing.
func lineTail(line []byte) []byte { return line[len(bytes.TrimRight(line, "\r\n")):] }

// expression is a header of a table or a key with its value, as a range of whole lines.
type expression struct {
	header     bool
	key        []string
	start, end int
}

// expressions takes a text apart. What stands between two of them, comments and empty lines, belongs to none.
func expressions(text []byte) ([]expression, error) {
	var out []expression
	p := unstable.Parser{}
	p.Reset(text)
	for p.NextExpression() {
		e := p.Expression()
		one := expression{header: e.Kind == unstable.Table || e.Kind == unstable.ArrayTable, start: -1}
		if !one.header && e.Kind != unstable.KeyValue {
			continue
		}
		for keys := e.Key(); keys.Next(); {
			n := keys.Node()
			if one.start < 0 {
				one.start = bytes.LastIndexByte(text[:n.Raw.Offset], '\n') + 1
			}
			one.key = append(one.key, string(n.Data))
		}
		out = append(out, one)
	}
	if err := p.Error(); err != nil {
		return nil, err
	}
	for i := range out {
		next := len(text)
		if i+1 < len(out) {
			next = out[i+1].start
		}
		out[i].end = lastLine(text, out[i].start, next)
	}
	return out, nil
}

// lastLine is where the last line of text[start:next] ends that is neither empty nor a comment.
func lastLine(text []byte, start, next int) int {
	for next > start {
		line := bytes.LastIndexByte(text[start:next-1], '\n') + 1 + start
		if words := bytes.TrimSpace(text[line:next]); len(words) > 0 && words[0] != '#' || line == start {
			return next
		}
		next = line
	}
	return next
}

// Put is Syntax.
func (c codexTOML) Put(text []byte, s Server, e Entry) ([]byte, error) {
	mark := text[:len(text)-len(bytes.TrimPrefix(text, bom))]
	text = text[len(mark):]
	all, err := expressions(text)
	if err != nil {
		return nil, err
	}
	end := lineEnd(text)
	lines := codexLines(s, e)
	at := slices.IndexFunc(all, func(x expression) bool { return x.header && slices.Equal(x.key, []string{codexServers, s.Name}) })
	if at < 0 {
		if known, err := c.Servers(text); err != nil || slices.ContainsFunc(known, func(k Server) bool { return k.Name == s.Name }) {
			return nil, errors.Join(err, fmt.Errorf("the entry of %s is not a table [%s.%s] of its own; change it by hand", s.Name, codexServers, s.Name))
		}
		return slices.Concat(mark, text, []byte(newTable(text, end, codexServers+"."+tomlKey(s.Name), lines))), nil
	}
	return slices.Concat(mark, replaceTable(text, all, at, s.Name, lines, end)), nil
}

// codexLines are the keys of our entry, each with its line.
func codexLines(s Server, e Entry) [][2]string {
	if e.Token {
		return [][2]string{{"url", "url = " + tomlString(s.URL)}, {"http_headers_helper", "http_headers_helper = " + tomlString(shellWord(e.Program)+" get --output headers "+s.URL)}}
	}
	var args []string
	for _, a := range e.Args(s) {
		args = append(args, tomlString(a))
	}
	return [][2]string{
		{"command", "command = " + tomlString(e.Program)}, {"args", "args = [" + strings.Join(args, ", ") + "]"}, {"startup_timeout_sec", "startup_timeout_sec = 60"},
	}
}

// newTable is what follows a text that gets a table more.
func newTable(text []byte, end, name string, lines [][2]string) string {
	var out strings.Builder
	if len(text) > 0 && text[len(text)-1] != '\n' {
		out.WriteString(end)
	}
	if len(text) > 0 {
		out.WriteString(end)
	}
	out.WriteString("[" + name + "]" + end)
	for _, line := range lines {
		out.WriteString(line[1] + end)
	}
	return out.String()
}

// replaceTable writes lines in place of the keys of a table that are for remote servers alone. A timeout that is there stays.
func replaceTable(text []byte, all []expression, at int, name string, lines [][2]string, end string) []byte {
	body := all[at+1:]
	if i := slices.IndexFunc(body, func(x expression) bool { return x.header }); i >= 0 {
		body = body[:i]
	}
	const timeout = "startup_timeout_sec"
	if slices.ContainsFunc(body, func(x expression) bool { return x.key[0] == timeout }) {
		lines = slices.DeleteFunc(lines, func(l [2]string) bool { return l[0] == timeout })
	}
	var out []byte
	done := 0
	copyTo := func(offset int) {
		out = append(out, text[done:max(done, offset)]...)
		done = max(done, offset)
	}
	write := func() {
		if len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, end...)
		}
		for _, line := range lines {
			out = append(out, line[1]+end...)
		}
		lines = nil
	}
	ours := append(slices.Clone(remoteKeys), "command", "args")
	for _, x := range body {
		if !slices.Contains(ours, x.key[0]) {
			continue
		}
		copyTo(x.start)
		done = x.end
		if (x.key[0] == "url" || x.key[0] == "command") && len(lines) > 0 {
			lines[0][1] += comment(text[x.start:x.end])
			write()
		}
	}
	copyTo(append([]expression{all[at]}, body...)[len(body)].end)
	write()
	for rest := all[at+1+len(body):]; len(rest) > 0; {
		n := 1 + len(rest[1:])
		if i := slices.IndexFunc(rest[1:], func(x expression) bool { return x.header }); i >= 0 {
			n = 1 + i
		}
		if k := rest[0].key; len(k) > 2 && k[0] == codexServers && k[1] == name && slices.Contains(remoteKeys, k[2]) {
			copyTo(rest[0].start)
			done = rest[n-1].end
			if next := bytes.TrimLeft(text[done:], "\r"); len(next) > 0 && next[0] == '\n' && bytes.HasSuffix(bytes.ReplaceAll(out, []byte("\r"), nil), []byte("\n\n")) {
				done = len(text) - len(next) + 1 // of two empty lines one
			}
		}
		rest = rest[n:]
	}
	copyTo(len(text))
	return out
}

// comment is the comment at the end of a line, with the space before it; empty: there is none.
func comment(line []byte) string {
	line = bytes.TrimRight(line, "\r\n")
	var quote byte
	for i, c := range line {
		switch {
		case quote != 0:
			if c == quote && (quote == '\'' || line[i-1] != '\\') {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#':
			return " " + string(line[i:])
		}
	}
	return ""
}

var bareKey = lazily(`^[A-Za-z0-9_-]+$`)

func tomlKey(name string) string {
	if bareKey().MatchString(name) {
		return name
	}
	return strconv.Quote(name)
}

// tomlString writes a string: between single quotes where it has backslashes, as paths of Windows do.
func tomlString(text string) string {
	if strings.Contains(text, `\`) && !strings.ContainsAny(text, "'\n") {
		return "'" + text + "'"
	}
	return strconv.Quote(text)
}

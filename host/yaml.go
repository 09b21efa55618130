package host

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// gooseYAML is Goose's configuration. It is changed by lines: what Goose writes has a line for each key, and each level is
// indented further. A form that cannot be read so is an error, and nothing is changed.
type gooseYAML struct{}

var (
	yamlTop   = lazily(`^extensions:[ \t]*(\{\})?[ \t]*(#.*)?$`)
	yamlKey   = lazily(`^( *)(?:([A-Za-z0-9_.-]+)|"([^"]+)"|'([^']+)'):(?:[ \t]+(.*))?$`)
	yamlBlank = lazily(`^[ \t]*(#.*)?$`)
)

// yamlEntry is one entry below extensions, as a range of lines, with the scalars in it.
type yamlEntry struct {
	name       string
	start, end int
	indent     string // of its keys
	fields     map[string]string
	at         map[string][2]int // the lines of each key
	headers    map[string]string
}

// entries takes a text apart. top is the line of "extensions:"; -1: there is none.
func (gooseYAML) entries(lines []string) (top int, out []yamlEntry, err error) {
	top = slices.IndexFunc(lines, yamlTop().MatchString)
	if top < 0 {
		if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "extensions") || strings.Contains(l, "\t") }) {
			return top, nil, errors.New("its extensions are not written one to a line")
		}
		return top, nil, nil
	}
	depth := ""
	for i := top + 1; i < len(lines); i++ {
		line := lines[i]
		if yamlBlank().MatchString(line) {
			continue
		}
		m := yamlKey().FindStringSubmatch(line)
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		if strings.HasPrefix(line[len(indent):], "\t") {
			return top, nil, fmt.Errorf("line %d is indented with a tab", i+1)
		}
		if indent == "" {
			break
		}
		if depth == "" {
			depth = indent
		}
		switch {
		case len(indent) < len(depth) || indent == depth && (m == nil || m[5] != "" && m[5] != "{}"):
			return top, nil, fmt.Errorf("line %d is not an extension", i+1)
		case indent == depth:
			out = append(out, yamlEntry{name: m[2] + m[3] + m[4], start: i, fields: map[string]string{}, at: map[string][2]int{}, headers: map[string]string{}})
		}
		e := &out[len(out)-1]
		e.end = i + 1
		if indent == depth {
			continue
		}
		if e.indent == "" {
			e.indent = indent
		}
		if m != nil && indent == e.indent {
			name := m[2] + m[3] + m[4]
			e.fields[name], e.at[name] = yamlScalar(m[5]), [2]int{i, i + 1}
			continue
		}
		for name, at := range e.at { // a line further in belongs to the last key
			if at[1] == i {
				e.at[name] = [2]int{at[0], i + 1}
				if m != nil && name == "headers" {
					e.headers[m[2]+m[3]+m[4]] = yamlScalar(m[5])
				}
				if list := strings.TrimSpace(line); name == "args" && strings.HasPrefix(list, "- ") {
					e.fields["args"] += "\n" + yamlScalar(list[2:])
				}
			}
		}
	}
	return top, out, nil
}

// yamlScalar is a value without its quotes, and without a comment.
func yamlScalar(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > 1 && (text[0] == '"' || text[0] == '\'') {
		if i := strings.IndexByte(text[1:], text[0]); i >= 0 {
			return text[1 : i+1]
		}
	}
	text, _, _ = strings.Cut(text, " #")
	return strings.TrimSpace(text)
}

func splitLines(text []byte) []string {
	return strings.Split(strings.ReplaceAll(string(bytes.TrimPrefix(text, bom)), "\r\n", "\n"), "\n")
}

// Servers is Syntax.
func (y gooseYAML) Servers(text []byte) ([]Server, error) {
	_, entries, err := y.entries(splitLines(text))
	if err != nil {
		return nil, err
	}
	var out []Server
	for _, e := range entries {
		s := Server{Name: e.name, Headers: e.headers}
		url, ok := remote(e.fields["uri"])
		if s.URL = url; !ok {
			args := strings.Split(strings.Trim(e.fields["args"], "\n"), "\n")
			if list := e.fields["args"]; strings.HasPrefix(list, "[") {
				args = nil
				for _, a := range strings.Split(strings.Trim(list, "[]"), ",") {
					args = append(args, yamlScalar(a))
				}
			}
			ok = s.readCommand(append([]string{e.fields["cmd"]}, args...))
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// Put is Syntax.
func (y gooseYAML) Put(text []byte, s Server, e Entry) ([]byte, error) {
	lines, end := splitLines(text), lineEnd(text)
	top, entries, err := y.entries(lines)
	if err != nil {
		return nil, err
	}
	var args []string
	for _, a := range e.Args(s) {
		args = append(args, yamlString(a))
	}
	ours := [][2]string{{"type", "stdio"}, {"cmd", yamlString(e.Program)}, {"args", "[" + strings.Join(args, ", ") + "]"}}
	i := slices.IndexFunc(entries, func(x yamlEntry) bool { return x.name == s.Name })
	switch {
	case i >= 0:
		lines = entries[i].replace(lines, ours)
	case top >= 0:
		indent := "  "
		if len(entries) > 0 {
			first := lines[entries[0].start]
			indent = first[:len(first)-len(strings.TrimLeft(first, " "))]
		}
		lines[top] = strings.Replace(lines[top], " {}", "", 1)
		at := top + 1
		if len(entries) > 0 {
			at = entries[len(entries)-1].end
		}
		lines = slices.Insert(lines, at, newExtension(s.Name, indent, ours)...)
	default:
		if last := len(lines) - 1; lines[last] == "" {
			lines = lines[:last]
		}
		lines = append(append(lines, "extensions:"), newExtension(s.Name, "  ", ours)...)
		lines = append(lines, "")
	}
	out := []byte(strings.Join(lines, end))
	if bytes.HasPrefix(text, bom) {
		out = append(slices.Clone(bom), out...)
	}
	return out, nil
}

// newExtension is the lines of an entry that was not there.
func newExtension(name, indent string, ours [][2]string) []string {
	out := []string{indent + yamlName(name) + ":"}
	for _, f := range append([][2]string{{"enabled", "true"}, {"name", yamlName(name)}, {"timeout", "300"}}, ours...) {
		out = append(out, indent+indent+f[0]+": "+f[1])
	}
	return out
}

// replace writes ours in place of what an entry has for a remote server.
func (x yamlEntry) replace(lines []string, ours [][2]string) []string {
	gone := map[int]bool{}
	first := x.end
	for _, name := range []string{"uri", "headers", "env_keys_headers", "type", "cmd", "args"} {
		if at, ok := x.at[name]; ok {
			for i := at[0]; i < at[1]; i++ {
				gone[i] = true
			}
			first = min(first, at[0])
		}
	}
	var out []string
	for i, line := range lines {
		if i == first {
			for _, f := range ours {
				out = append(out, x.indent+f[0]+": "+f[1])
			}
		}
		if !gone[i] {
			out = append(out, line)
		}
	}
	return out
}

func yamlName(name string) string {
	if bareKey().MatchString(name) {
		return name
	}
	return yamlString(name)
}

// yamlString writes a string between double quotes, which JSON and YAML share, or between single ones where it has backslashes.
func yamlString(text string) string {
	if strings.Contains(text, `\`) && !strings.Contains(text, "'") {
		return "'" + text + "'"
	}
	return tomlString(text)
}

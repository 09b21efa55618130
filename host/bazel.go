package host

import (
	"net/url"
	"slices"
	"strings"
)

// bazel is Bazel, whose servers are those that somebody names.
var bazel = Host{
	Name: "bazel", Title: "Bazel", Programs: []string{"bazel", "bazelisk"}, Caller: true, Project: ".bazelrc",
	Files: under(".bazelrc"), Syntax: bazelRC{},
}

// bazelRC is a .bazelrc: a line with options on each line. The helper of a server goes by its host name, without a port.
type bazelRC struct{}

var bazelHelper = lazily(`^\s*[a-z]+\s+"?--credential_helper=([^=\s"]+)=(.*mcp-credential(?:\.exe)?)"?\s*$`)

// Servers is Syntax: those of ours, with the host for a URL.
func (bazelRC) Servers(text []byte) (out []Server, err error) {
	for _, line := range splitLines(text) {
		if m := bazelHelper().FindStringSubmatch(line); m != nil {
			out = append(out, Server{Name: m[1], URL: "https://" + m[1], Ours: true, Program: m[2]})
		}
	}
	return out, nil
}

// Put is Syntax. Of several lines for a host Bazel takes the last.
func (bazelRC) Put(text []byte, s Server, e Entry) ([]byte, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	option := "--credential_helper=" + u.Hostname() + "=" + strings.ReplaceAll(e.Program, `\`, "/")
	if strings.Contains(option, " ") {
		option = `"` + option + `"`
	}
	lines, end := strings.SplitAfter(string(text), "\n"), lineEnd(text)
	i := slices.IndexFunc(lines, func(l string) bool {
		m := bazelHelper().FindStringSubmatch(strings.TrimSuffix(strings.TrimRight(l, "\r\n"), "\r"))
		return m != nil && m[1] == u.Hostname()
	})
	if i >= 0 {
		lines[i] = "common " + option + lines[i][len(strings.TrimRight(lines[i], "\r\n")):]
		return []byte(strings.Join(lines, "")), nil
	}
	if n := len(text); n > 0 && text[n-1] != '\n' {
		lines = append(lines, end)
	}
	return []byte(strings.Join(lines, "") + "common " + option + end), nil
}

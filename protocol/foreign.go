package protocol

import (
	"net/url"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// foreignURL is the server URL of a caller that asks every helper about every server. What is never an MCP server, another scheme,
// http to another machine, a user name or a name outside ASCII, is an error of kind NotFound; a malformed URL one of kind BadInput.
func foreignURL(scheme, rest string) (string, error) {
	scheme = strings.ToLower(scheme)
	host, _, _ := strings.Cut(rest, "/")
	switch {
	case scheme != "https" && scheme != "http":
		return "", notOurs()
	case strings.Contains(host, "@"), strings.ContainsFunc(host, func(c rune) bool { return c >= 0x80 }):
		return "", notOurs()
	case scheme == "http" && !credential.Loopback((&url.URL{Host: host}).Hostname()):
		return "", notOurs()
	}
	return credential.ParseServerURL(scheme + "://" + rest)
}

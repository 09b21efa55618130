package credential

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxURL bounds a URL's length in bytes; longer ones are refused.
const maxURL = 4096

// ParseServerURL checks and canonicalises the URL of an MCP server: https, or http on loopback; no user information,
// fragment, control character, space or text outside ASCII; scheme and host in lower case, the default port and a lone
// "/" dropped. Path and query stay byte-exact: https://h/mcp and https://h/mcp/ are different servers. Errors are of
// kind BadInput.
func ParseServerURL(raw string) (string, error) {
	u, err := parseURL(raw, "server URL")
	if err == nil {
		return canonical(u), nil
	}
	if meant := WithScheme(raw); meant != raw {
		err.Text = "the server URL must begin with https://; did you mean " + meant + "?"
	}
	return "", err
}

// WithScheme returns what a URL without a scheme means, https://raw, or http://raw on loopback; raw itself where that is no
// server URL either.
func WithScheme(raw string) string {
	if strings.Contains(raw, "://") {
		return raw
	}
	for _, scheme := range []string{"http://", "https://"} {
		u, err := parseURL(scheme+raw, "server URL")
		if err == nil && (scheme == "https://" && strings.Contains(u.Hostname(), ".") || Loopback(u.Hostname())) {
			return scheme + raw
		}
	}
	return raw
}

// CheckEndpoint judges a URL that a server told us (metadata, endpoints): the same rules as ParseServerURL, and errors
// of kind Hostile that name what. Nothing else may be fetched, opened in a browser or sent a token (CVE-2025-6514).
func CheckEndpoint(raw, what string) error {
	if _, err := parseURL(raw, what); err != nil {
		err.Kind = Hostile
		return err
	}
	return nil
}

// Origin returns scheme://host[:port] of a URL that ParseServerURL or CheckEndpoint has accepted, in lower case and
// without a default port; "" for anything else.
func Origin(raw string) string {
	u, err := parseURL(raw, "URL")
	if err != nil {
		return ""
	}
	u.Path, u.RawPath, u.RawQuery = "", "", ""
	return canonical(u)
}

// Covers reports whether resource equals the server URL or is its parent by whole path segments on the same origin:
// what a protected resource metadata document may say about a server (RFC 9728 section 3.3, as the MCP specification
// uses it).
func Covers(resource, server string) bool {
	r, err := parseURL(resource, "resource")
	if err != nil {
		return false
	}
	s, err := parseURL(server, "server URL")
	if err != nil || Origin(resource) != Origin(server) {
		return false
	}
	if canonical(r) == canonical(s) {
		return true
	}
	if r.RawQuery != "" || !plainPath(r) || !plainPath(s) {
		return false
	}
	return strings.HasPrefix(s.EscapedPath(), strings.TrimSuffix(r.EscapedPath(), "/")+"/")
}

// plainPath reports whether the path has no dot segments, encoded separators or backslashes, which servers resolve
// differently.
func plainPath(u *url.URL) bool {
	p := strings.ToLower(u.EscapedPath())
	for _, bad := range []string{"/./", "/../", "%2f", "%2e", "%5c", "\\"} {
		if strings.Contains(p+"/", bad) {
			return false
		}
	}
	return true
}

func parseURL(raw, what string) (*url.URL, *Error) {
	if raw == "" {
		return nil, Fail(BadInput, "the "+what+" is empty", nil)
	}
	if len(raw) > maxURL {
		return nil, Fail(BadInput, "the "+what+" is longer than 4096 bytes", nil)
	}
	for i := range len(raw) {
		if raw[i] <= ' ' || raw[i] >= 0x7f {
			return nil, Fail(BadInput, "the "+what+" contains a space, a control character or one outside ASCII", nil)
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" || raw[0] == '-' {
		return nil, Fail(BadInput, "the "+what+" is not a complete https URL", nil)
	}
	if u.User != nil {
		return nil, Fail(BadInput, "the "+what+" contains a user name or password", nil)
	}
	if u.Fragment != "" || strings.Contains(raw, "#") {
		return nil, Fail(BadInput, "the "+what+" contains a fragment", nil)
	}
	if !strings.Contains(raw, u.EscapedPath()) { // else EscapedPath re-encodes it all, and %2F becomes a slash
		return nil, Fail(BadInput, "the "+what+" has a character in its path that must be percent-encoded", nil)
	}
	if !hostOK(u) {
		return nil, Fail(BadInput, "the "+what+" has a malformed host or port", nil)
	}
	switch strings.ToLower(u.Scheme) {
	case "https":
	case "http":
		if !Loopback(u.Hostname()) {
			return nil, Fail(BadInput, "the "+what+" uses http on a host that is not this machine; tokens travel over https only", nil)
		}
	default:
		return nil, Fail(BadInput, "the "+what+" must begin with https://", nil)
	}
	return u, nil
}

func hostOK(u *url.URL) bool {
	host := u.Hostname()
	if host == "" || strings.HasPrefix(host, "-") || strings.HasSuffix(u.Host, ":") {
		return false
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	if strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.Zone() == "" // a zone names an interface of one machine, not a server (RFC 6874)
	}
	for _, c := range host {
		if c > 0x7f || !(c == '-' || c == '.' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}

// Loopback reports whether host names this machine: localhost, 127.0.0.0/8 or ::1. Nothing is resolved.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func canonical(u *url.URL) string {
	scheme := strings.ToLower(u.Scheme)
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	port := u.Port()
	if port != "" && !(scheme == "https" && port == "443") && !(scheme == "http" && port == "80") {
		host += ":" + port
	}
	path := u.EscapedPath()
	if path == "/" {
		path = ""
	}
	out := scheme + "://" + host + path
	if u.RawQuery != "" {
		out += "?" + u.RawQuery
	}
	return out
}

package credential

import (
	"net/url"
	"strconv"
	"strings"
)

// LocalRedirect is a redirect_uri with another port; an empty one is http://localhost/callback, the form that most hosts of
// MCP servers have for a client of which they know the port alone.
func LocalRedirect(uri, port string) string {
	u, err := url.Parse(uri)
	if uri == "" || err != nil {
		return "http://localhost:" + port + "/callback"
	}
	u.Host = strings.TrimSuffix(u.Host, ":"+u.Port()) + ":" + port
	return u.String()
}

// Accept says which line of config.toml accepts what is refused, for one server.
func Accept(server, setting, value string) string {
	if value != "true" {
		value = strconv.Quote(value)
	}
	return "; if you trust it, accept that for this server in config.toml: " + setting + " = " + value + " below [servers." + strconv.Quote(server) + "]"
}

// CheckRedirect wants a redirect_uri of a native client that this machine can wait at: http, localhost, 127.0.0.1 or
// [::1], a port, and no query (RFC 8252 section 7.3). Errors are of kind BadInput.
func CheckRedirect(uri string) error {
	u, err := url.Parse(uri)
	if err == nil && u.Scheme == "http" && u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" {
		switch host := u.Hostname(); host {
		case "localhost", "127.0.0.1", "::1":
			if port, err := strconv.Atoi(u.Port()); err == nil && port > 0 && port < 1<<16 && strconv.Itoa(port) == u.Port() {
				return nil
			}
		}
	}
	return Fail(BadInput, "the redirect_uri is not one of this machine; it has the form http://localhost:PORT/PATH (or 127.0.0.1, or [::1])", nil)
}

package credential

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseServerURL(t *testing.T) {
	cases := map[string]string{
		"https://mcp.example.com":          "https://mcp.example.com",
		"https://mcp.example.com/":         "https://mcp.example.com",
		"HTTPS://MCP.Example.COM:443/Mcp":  "https://mcp.example.com/Mcp",
		"https://h/mcp/":                   "https://h/mcp/",
		"https://h/a%2Fb/../c//d?x=%20&y=": "https://h/a%2Fb/../c//d?x=%20&y=",
		"https://h:8443?x":                 "https://h:8443?x",
		"https://h/?x":                     "https://h?x",
		"https://h?":                       "https://h",
		"http://localhost:80/x":            "http://localhost/x",
		"http://127.9.9.9:81":              "http://127.9.9.9:81",
		"http://[::1]:443/":                "http://[::1]:443",
		"https://[2001:DB8::1]:443/x":      "https://[2001:db8::1]/x",
		"https://a_b.example-1.com./":      "https://a_b.example-1.com.",
	}
	for in, want := range cases {
		if got, err := ParseServerURL(in); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", in, got, err, want)
		}
	}
}

// hostileURLs must not be fetched, opened in a browser or sent a token, whoever names them.
var hostileURLs = []string{
	"", "/", "h", "h/mcp", "//h/mcp", "https:", "https:/h", "https://", "https:///mcp", "https:h", "https://:443",
	"javascript:alert(1)", "javascript://h/%0aalert(1)", "file:///etc/passwd", "file://h/share", "data:text/html,x", "ftp://h/",
	"ms-settings:x", "vscode://h/x", "-https://h", "--help", "https://-h/", "https://-oProxyCommand=x/", "$(reboot)", "https://h/`x` y",
	"http://h", "http://10.0.0.1", "http://127.0.0.1.evil.com", "http://localhost.evil.com", "http://127.1", "http://2130706433",
	"http://0x7f.1", "http://[::2]", "http://0.0.0.0", "http://[::]", "http://localhost@evil.com", "http://evil.com#@localhost",
	"https://u@h", "https://u:p@h", "https://@h", "https://:@h", "https://h#x", "https://h/#", "https://h:", "https://h:x", "https://h:0", "https://h:65536", "https://h:-1", "https://h:1:2",
	"https://h\n", "https://h/\r\nX: 1", "https://h/\x00", "https://h/\x1b[2J", "https://h/\x7f", "https://h/a b", " https://h", "https://h ",
	"https://h\t", "https://h\\@evil.com", "https://h%2eevil.com", "https://h%00", "https://[::1", "https://[::1]x", "https://[fe80::1%25eth0]/",
	"https://[h]", "https://b\u00fccher.example", "https://\u202eh", "https://h*", "https://a,b", "https://a;b", "https://a'b", "https://a\"b", "https://h/%zz",
	"https://h/\u00e9", "https://h/a%2Fb|c", "https://h/{tenant}", "https://h/<x>", "https://h?\u009b", "https://h/\xff",
	"https://h/" + strings.Repeat("a", 4096),
}

func TestHostileURLs(t *testing.T) {
	for _, raw := range hostileURLs {
		if got, err := ParseServerURL(raw); KindOf(err) != BadInput || got != "" {
			t.Errorf("ParseServerURL(%.60q) = %q, %v", raw, got, err)
		}
		err := CheckEndpoint(raw, "token endpoint")
		if KindOf(err) != Hostile || !strings.Contains(err.Error(), "token endpoint") || strings.ContainsAny(err.Error(), "\r\n\x1b\x00") {
			t.Errorf("CheckEndpoint(%.60q) = %v", raw, err)
		}
		if got := Origin(raw); got != "" {
			t.Errorf("Origin(%.60q) = %q", raw, got)
		}
		if Covers(raw, "https://h/mcp") || Covers("https://h", raw) || Covers(raw, raw) {
			t.Errorf("Covers takes %.60q", raw)
		}
	}
}

// An error about an endpoint is nil as an interface too.
func TestCheckEndpointAccepts(t *testing.T) {
	for _, raw := range []string{"https://login.example.com/t/oauth2/v2.0/token?x=1", "http://127.0.0.1:4000/token", "https://h/"} {
		if err := CheckEndpoint(raw, "token endpoint"); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestOrigin(t *testing.T) {
	cases := map[string]string{
		"https://H:443/a?b": "https://h", "https://h:8443/a": "https://h:8443", "http://localhost:80": "http://localhost",
		"http://[::1]:8/x": "http://[::1]:8",
	}
	for in, want := range cases {
		if got := Origin(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestCovers(t *testing.T) {
	cases := []struct {
		resource, server string
		want             bool
	}{
		{"https://h/mcp", "https://h/mcp", true},
		{"https://H:443/mcp", "https://h/mcp", true},
		{"https://h", "https://h/mcp", true},
		{"https://h/", "https://h/mcp", true},
		{"https://h/a", "https://h/a/b/c?x=1", true},
		{"https://h/a/", "https://h/a/b", true},
		{"https://h/a?x=1", "https://h/a?x=1", true},
		{"https://h/mcp", "https://h/mcp2", false},
		{"https://h/mcp", "https://h", false},
		{"https://h/mcp/", "https://h/mcp", false},
		{"https://h/MCP", "https://h/mcp", false},
		{"https://h/a?x=1", "https://h/a/b", false},
		{"https://h/a", "https://h/a/../b", false},
		{"https://h/a", "https://h/a/%2e%2e/b", false},
		{"https://h/a", "https://h/a%2fb", false},
		{"https://h/a", "https://h/a/..%5cb", false},
		{"https://h/a/..", "https://h/a/../b", false},
		{"https://h", "https://h.evil.com/mcp", false},
		{"https://h", "https://evil.com/h", false},
		{"https://h:8443", "https://h/mcp", false},
		{"http://localhost", "https://localhost/mcp", false},
		{"http://localhost", "http://127.0.0.1/mcp", false},
		{"https://sub.h", "https://h/mcp", false},
	}
	for _, c := range cases {
		if got := Covers(c.resource, c.server); got != c.want {
			t.Errorf("Covers(%s, %s) = %v", c.resource, c.server, got)
		}
	}
}

func FuzzParseServerURL(f *testing.F) {
	for _, raw := range hostileURLs {
		f.Add(raw)
	}
	for _, raw := range []string{"https://H:443/?x", "https://[2001:DB8::1%25a]:443/x", "https://h/%2F?%", "http://[::ffff:127.0.0.1]/", "https://h/(a)!'*;=@[x]"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := ParseServerURL(raw)
		if err != nil {
			return
		}
		if twice, err := ParseServerURL(once); err != nil || twice != once {
			t.Fatalf("%q became %q and then %q, %v", raw, once, twice, err)
		}
		if !Covers(raw, once) || Origin(raw) != Origin(once) || !strings.HasPrefix(once, Origin(once)) {
			t.Fatalf("%q and %q are not the same server", raw, once)
		}
		if tail := strings.TrimPrefix(once, Origin(once)); !strings.HasSuffix(raw, tail) && !strings.HasSuffix(raw, tail+"?") && tail != "" {
			t.Fatalf("the path or query of %q changed: %q", raw, once)
		}
	})
}

func FuzzCovers(f *testing.F) {
	f.Add("https://h", "https://h/mcp")
	f.Add("https://h/a/", "https://h/a/b?x")
	f.Add("https://h:443/a/..", "HTTPS://H/a/../b")
	f.Add("http://[::1]:80", "http://[::1]/x")
	f.Fuzz(func(t *testing.T, resource, server string) {
		if !Covers(resource, server) {
			return
		}
		r, errR := url.Parse(resource)
		s, errS := url.Parse(server)
		if errR != nil || errS != nil || port(r) != port(s) || !strings.EqualFold(r.Scheme, s.Scheme) || !strings.EqualFold(r.Hostname(), s.Hostname()) {
			t.Fatalf("%q covers %q on another origin", resource, server)
		}
		if up := s.JoinPath().EscapedPath(); r.RawQuery == "" && s.RawQuery == "" && !strings.HasPrefix(up, strings.TrimSuffix(r.JoinPath().EscapedPath(), "/")) {
			t.Fatalf("%q covers %q, which resolves to %q", resource, server, up)
		}
	})
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"https": "443", "http": "80"}[strings.ToLower(u.Scheme)]
}

func TestWithScheme(t *testing.T) {
	for raw, want := range map[string]string{
		"mcp.example.com/mcp": "https://mcp.example.com/mcp", "mcp.example.com:8443": "https://mcp.example.com:8443",
		"localhost:8080/mcp": "http://localhost:8080/mcp", "127.0.0.1:1": "http://127.0.0.1:1",
		"https://h/mcp": "https://h/mcp", "http://mcp.example.com": "http://mcp.example.com",
		"": "", "nonsense": "nonsense", "https:mcp.example.com": "https:mcp.example.com", "ann@mcp.example.com": "ann@mcp.example.com", "a b.c": "a b.c",
	} {
		if got := WithScheme(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

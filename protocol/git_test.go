package protocol

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestGitServers(t *testing.T) {
	cases := []struct {
		in     string
		url    string
		origin bool
	}{
		{"protocol=https\nhost=mcp.example.com\n", "https://mcp.example.com", true},
		{"protocol=HTTPS\nhost=MCP.example.com:443\n\n", "https://mcp.example.com", true},
		{"host=mcp.example.com:8443\nprotocol=https", "https://mcp.example.com:8443", true},
		{"protocol=https\nhost=h\npath=\n", "https://h", true},
		{"protocol=https\nhost=h\npath=mcp\n", "https://h/mcp", false},
		{"protocol=https\nhost=h\npath=/mcp\n", "https://h/mcp", false},
		{"protocol=https\nhost=h\npath=a b/\u00e9#1%2|(c)\n", "https://h/a%20b/%C3%A9%231%252%7C(c)", false},
		{"protocol=https\nhost=h\npath=mcp?tenant=1\n", "https://h/mcp?tenant=1", false},
		{"protocol=http\nhost=127.0.0.1:8080\n", "http://127.0.0.1:8080", true},
		{"protocol=http\nhost=localhost\npath=mcp\n", "http://localhost/mcp", false},
		{"protocol=http\nhost=[::1]:81\n", "http://[::1]:81", true},
		{"protocol=https\nhost=first\nhost=last\n", "https://last", true},
		// git 2.39 with useHttpPath makes this of https://me@h:8443/a%20b/?x=1
		{"protocol=https\nhost=h:8443\npath=a b/?x=1\nusername=me\n", "https://h:8443/a%20b/?x=1", false},
		{"url=https://h/a%2Fb/\n", "https://h/a%2Fb/", false},
		{"url=https://h\n", "https://h", true},
		{"url=https://h/\n", "https://h", true},
		{"url=https://h?x=1\n", "https://h?x=1", false},
		{"protocol=https\nhost=h\n\nhost=other\r\n", "https://h", true},
		{"protocol=https\r\nhost=h\r\n\r\n", "https://h", true},
		{"protocol=https\r\nhost=h", "https://h", true},
	}
	for _, c := range cases {
		req, err := Decode(strings.NewReader(c.in), "git")
		if err != nil || req.Query.URL != c.url || req.Query.OriginOf != c.origin || req.Format != "git" {
			t.Errorf("%q: %+v, %v", c.in, req.Query, err)
		}
	}
}

// Requests in the order in which credential_write of git 2.39 and of git 2.46 puts their lines, and scripts' own.
func TestGitRequests(t *testing.T) {
	expiry := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	cases := map[string]Request{
		"protocol=https\nhost=h\nusername=me\npassword=abc\n": {User: "me", Access: credential.NewSecret("abc")},
		"capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=h\nwwwauth[]=Bearer realm=\"x\"\nwwwauth[]=Basic\n": {
			AuthType: true, State: true, Challenges: []string{`Bearer realm="x"`, "Basic"}},
		"capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential=abc\nephemeral=1\nprotocol=https\nhost=h\n" +
			"password_expiry_utc=1893456000\nstate[]=other:1\nstate[]=mcp-credential:1\n": {AuthType: true, State: true, Type: "Bearer",
			Access: credential.NewSecret("abc"), Ephemeral: true, Expiry: expiry, Ours: true},
		"protocol=https\nhost=h\nauthtype=bearer\npassword=abc\nquit=1\ncontinue=1\nnew=x\nnew[]=y\n": {Type: "Bearer",
			Access: credential.NewSecret("abc")},
		"protocol=https\nhost=h\npassword=abc\noauth_refresh_token=r r\noauth_issuer=https://id/\noauth_client_id=c\npassword_expiry_utc=0\n": {
			Access: credential.NewSecret("abc"), Refresh: credential.NewSecret("r r"), Issuer: "https://id/", ClientID: "c"},
		"url=https://me:p%2Bw@h\n": {User: "me", Access: credential.NewSecret("p+w")},
		"protocol=https\nhost=h\ncapability[]=authtype\ncapability[]=\ncapability[]=state\nwwwauth[]=a\nwwwauth[]=\nstate[]=mcp-credential:1\nstate[]=\n": {
			State: true},
		"protocol=https\nhost=h\ncapability=authtype\nstate=mcp-credential:1\nstate[]=mcp-credential:12\n": {},
	}
	for in, want := range cases {
		want.Format, want.Query = "git", credential.Query{URL: "https://h", OriginOf: true, ClientID: want.ClientID}
		got, err := Decode(strings.NewReader(in), "")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %+v, %v\nwant %+v", in, got, err, want)
		}
	}
}

// begin is a request for a server that could be known.
const begin = "protocol=https\nhost=h\n"

func refuses(t *testing.T, cases map[string]credential.Kind) {
	t.Helper()
	for in, want := range cases {
		req, err := Decode(strings.NewReader(in), "git")
		if err == nil || credential.KindOf(err) != want {
			t.Errorf("%.60q: %v of kind %d, want kind %d", in, err, credential.KindOf(err), want)
		}
		if req.Format != "git" {
			t.Errorf("%.60q: the format is lost on the way", in)
		}
	}
}

// A request without a host or a protocol must not match anything.
func TestGitRefusesCVE202011008(t *testing.T) {
	refuses(t, map[string]credential.Kind{
		"protocol=https\n": credential.BadInput, "protocol=https\nhost=\n": credential.BadInput, "host=h\n": credential.BadInput,
		"protocol=\nhost=h\n": credential.BadInput, "\n": credential.BadInput, "url=https:///x\n": credential.BadInput,
		"url=h/mcp\n": credential.BadInput, "url=://h\n": credential.BadInput,
	})
}

// A CR is no line's end and no part of a value.
func TestGitRefusesCVE202450338(t *testing.T) {
	refuses(t, map[string]credential.Kind{
		begin + "username=a\rprotocol=x\n": credential.BadInput, "protocol=https\nhost=h\r\n": credential.BadInput,
		"protocol=https\r\nhost=h\n": credential.BadInput, "protocol=https\r\nhost=h\r\r\n": credential.BadInput,
		"protocol=https\r\nhost=h\r": credential.BadInput, "protocol=https\r\nhost=h\r\nusername=a\rb\r\n\r\n": credential.BadInput,
		begin + "ignored=\r\n": credential.BadInput, begin + "wwwauth[]=a\x00b\n": credential.BadInput, "\r\n": credential.BadInput,
	})
}

// An encoded line end in a URL's user information.
func TestGitRefusesCVE20205260(t *testing.T) {
	refuses(t, map[string]credential.Kind{
		"url=https://a%0ahost=evil@h/\n": credential.BadInput, "url=https://a:b%0d@h/\n": credential.BadInput,
		"url=https://%zz@h/\n": credential.BadInput,
	})
}

func TestGitRefuses(t *testing.T) {
	cases := map[string]credential.Kind{
		// Hosts that are more than a host.
		"protocol=https\nhost=good/evil\n": credential.BadInput, "protocol=https\nhost=a@b\n": credential.BadInput,
		"protocol=https\nhost=a?b\n": credential.BadInput, "protocol=https\nhost=a#b\n": credential.BadInput,
		"protocol=https\nhost=a\\b\n": credential.BadInput, "protocol=https\nhost=a%2eb\n": credential.BadInput,
		"protocol=https\nhost=-h\n": credential.BadInput, "protocol=https\nhost=h:x\n": credential.BadInput,
		"protocol=https\nhost=h h\n": credential.BadInput, begin + "path=a\tb\n": credential.BadInput,
		begin + "path=a\x7fb\n": credential.BadInput, begin + "path=" + strings.Repeat("x", 5000): credential.BadInput,
		"url=https://h/#x\n": credential.BadInput, "url=https://h/\nhost=evil\n": credential.BadInput,
		"url=https://h\npath=mcp\n": credential.BadInput,
		// Lines and values.
		begin + "quit\n": credential.BadInput, begin + "password_expiry_utc=soon\n": credential.BadInput,
		begin + "password_expiry_utc=-1\n": credential.BadInput, begin + "password_expiry_utc=99999999999999999999\n": credential.BadInput,
		begin + "password_expiry_utc=253402300800\n": credential.BadInput,
		// Meant as OAuth, and broken: said aloud.
		begin + "authtype=Bearer\ncredential=a b\n": credential.BadInput, begin + "password=a b\noauth_client_id=c\n": credential.BadInput,
		begin + "oauth_issuer=http://id\n": credential.BadInput, begin + "oauth_issuer=https://id\noauth_refresh_token=\t\n": credential.BadInput,
		begin + "oauth_client_id=\u00e9\n": credential.BadInput,
		// None of our business: silence.
		"protocol=ssh\nhost=h\n": credential.NotFound, "protocol=cert\nhost=\npath=/key.pem\n": credential.NotFound,
		"protocol=ftp\nhost=h\n": credential.NotFound, "protocol=http\nhost=github.com\n": credential.NotFound,
		"protocol=http\nhost=127.1\n": credential.NotFound, "protocol=http\nhost=localhost.evil.com\n": credential.NotFound,
		"url=ssh://git@h/x\n": credential.NotFound, "protocol=https\nhost=b\u00fccher.example\n": credential.NotFound,
		begin + "password=correct horse\n": credential.NotFound, begin + "password=p\u00e4ss\n": credential.NotFound,
		begin + "authtype=Basic\ncredential=dTpw\n": credential.NotFound, begin + "credential=abc\n": credential.NotFound,
		begin + "password=abc\noauth_refresh_token=\u00e9\n": credential.NotFound,
	}
	refuses(t, cases)
}

// A caller that ends its request with an empty line and keeps the pipe open is answered.
func TestGitStopsAtAnEmptyLine(t *testing.T) {
	stdin, caller := io.Pipe()
	defer caller.Close()
	go func() { _, _ = io.WriteString(caller, "protocol=https\nhost=h\n\n") }()
	done := make(chan error, 1)
	go func() { _, err := Decode(stdin, ""); done <- err }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Decode waits for the end of stdin")
	}
}

func TestGitAnswers(t *testing.T) {
	cases := []struct {
		req  Request
		want string
	}{
		{Request{User: "me"}, "username=me\npassword=ey.J0-_~+/==\npassword_expiry_utc=1893456000\n"},
		{Request{AuthType: true}, "capability[]=authtype\nauthtype=Bearer\ncredential=ey.J0-_~+/==\nephemeral=1\n" +
			"password_expiry_utc=1893456000\n"},
		{Request{AuthType: true, State: true, User: "me"}, "capability[]=authtype\ncapability[]=state\nauthtype=Bearer\n" +
			"credential=ey.J0-_~+/==\nephemeral=1\npassword_expiry_utc=1893456000\nstate[]=mcp-credential:1\n"},
		{Request{State: true}, "capability[]=state\nusername=oauth2\npassword=ey.J0-_~+/==\npassword_expiry_utc=1893456000\n" +
			"state[]=mcp-credential:1\n"},
	}
	for _, c := range cases {
		var out counter
		if err := encodeGit(&out, c.req, goldenToken()); err != nil || out.String() != c.want || out.writes != 1 {
			t.Errorf("%+v:\n got %q, %v\nwant %q", c.req, out.String(), err, c.want)
		}
	}
	token := goldenToken()
	token.Expiry = time.Time{}
	var out counter
	if err := encodeGit(&out, Request{}, token); err != nil || strings.Contains(out.String(), "expiry") {
		t.Errorf("without an expiry: %q, %v", out.String(), err)
	}
}

func TestGitNeverForgesALineCVE202452006(t *testing.T) {
	for _, user := range []string{"a\nquit=1", "a\r", "a\x00", strings.Repeat("a", 65535)} {
		var out counter
		if err := encodeGit(&out, Request{User: user}, goldenToken()); credential.KindOf(err) != credential.BadInput || out.writes != 0 {
			t.Errorf("user %.20q: wrote %q, %v", user, out.String(), err)
		}
	}
}

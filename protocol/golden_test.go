package protocol

import (
	"runtime"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// seeds are requests that each format must read, and the fuzzers' beginnings. A format for answers only lists the
// tokens that it must write.
var seeds = map[string][]string{
	"git": {
		"protocol=https\nhost=mcp.example.com\n",
		"protocol=http\nhost=127.0.0.1:8080\npath=mcp\nusername=me\n\n",
		"capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=h\nwwwauth[]=Bearer realm=\"x\"\nwwwauth[]=\n",
		"url=https://me@h:8443/a%20b?x=1\noauth_issuer=https://id.example.com\noauth_client_id=c\noauth_refresh_token=r\n",
		"protocol=https\nhost=h\nauthtype=Bearer\ncredential=abc\nephemeral=1\npassword_expiry_utc=1893456000\nstate[]=mcp-credential:1",
	},
	"json": {
		`{"url":"https://h/mcp"}`,
		`{"url":"https://h/mcp","access_token":"abc","token_type":"bearer","expires_at":"2030-01-01T00:00:00Z"}`,
		`{"url":"https://h","access_token":"abc","expires_in":3600,"refresh_token":"r","issuer":"https://id","client_id":"c"}`,
		`{"url":"https://h","account":"me","scopes":["a","b"],"challenge":"Bearer error=\"x\"","other":{"a":[1]}}`,
	},
	"headers": {"abc", "a.b-c_d~e+f/g=="},
	"token":   {"abc", "a.b-c_d~e+f/g=="},
	"header":  {"abc", "a.b-c_d~e+f/g=="},
	"env":     {"abc", "a.b-c_d~e+f/g=="},
	"azure":   {"abc", "a.b-c_d~e+f/g=="},
	"kubernetes": {
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":"https://h:6443"},"interactive":true}}`,
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"cluster":{"server":"https://h","config":null},"other":1}}`,
	},
	"bazel": {
		`{"uri":"https://h/a/b.tar.gz?x=1"}`, // both from the specification, and one with more than it asks for
		`{"uri":"grpcs://example.com/com.example.package.Service/Method"}`,
		`{"uri":"https://api.example.org/rest/endpoint","more":{"a":[1]}}`,
	},
	"docker": {
		"https://h/v1/", "registry.example.com:5000\n", "127.0.0.1:5000", "https://h",
		`{"ServerURL":"https://h/v1/","Username":"oauth2","Secret":"abc"}`,
	},
	"cargo": {
		`{"v":1,"registry":{"index-url":"sparse+https://h/index/","name":"my","headers":["WWW-Authenticate: Bearer"]},"kind":"get","operation":"read","args":[]}` + "\n",
		`{"v":1,"kind":"get","operation":"publish","name":"sample","vers":"0.1.0","cksum":"...","registry":{"index-url":"sparse+https://h/"},"args":["--bearer"]}`,
	},
}

// detected are the formats that a request is known by.
var detected = []string{"git", "json", "bazel"}

// golden is what each format answers with goldenToken to a caller that announced nothing.
var golden = map[string]string{
	"git":     "username=oauth2\npassword=ey.J0-_~+/==\npassword_expiry_utc=1893456000\n",
	"headers": `{"Authorization":"Bearer ey.J0-_~+/=="}` + "\n",
	"token":   "ey.J0-_~+/==\n",
	"header":  "Authorization: Bearer ey.J0-_~+/==\n",
	"json": `{"access_token":"ey.J0-_~+/==","token_type":"Bearer","expires_at":"2030-01-01T00:00:00Z",` +
		`"scopes":["mcp:tools","mcp:read"],"account":"Ann & <Bo>","issuer":"https://id.example.com/","resource":"https://h/mcp"}` + "\n",
	"env": envLine(shellOf(runtime.GOOS), "MCP_ACCESS_TOKEN", "ey.J0-_~+/=="),
	"azure": `{"accessToken":"ey.J0-_~+/==","expiresOn":"` + goldenToken().Expiry.Local().Format("2006-01-02 15:04:05.000000") +
		`","expires_on":1893456000,"subscription":"","tenant":"","tokenType":"Bearer"}` + "\n",
	"kubernetes": `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"expirationTimestamp":"2030-01-01T00:00:00Z",` +
		`"token":"ey.J0-_~+/=="}}` + "\n",
	"bazel":  `{"headers":{"Authorization":["Bearer ey.J0-_~+/=="]},"expires":"2030-01-01T00:00:00Z"}` + "\n",
	"docker": `{"ServerURL":"","Username":"oauth2","Secret":"ey.J0-_~+/=="}` + "\n",
	"cargo":  `{"Ok":{"kind":"get","token":"ey.J0-_~+/==","cache":"expires","expiration":1893456000,"operation_independent":true}}` + "\n",
}

func goldenToken() credential.Token {
	return credential.Token{
		Access:   credential.NewSecret("ey.J0-_~+/=="),
		Type:     "Bearer",
		Expiry:   time.Date(2030, 1, 1, 1, 0, 0, 999, time.FixedZone("", 3600)),
		Scopes:   []string{"mcp:tools", "mcp:read"},
		Account:  "Ann & <Bo>",
		Issuer:   "https://id.example.com/",
		Resource: "https://h/mcp",
	}
}

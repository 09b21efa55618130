package protocol

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// No error about a request repeats any of it: each of these holds a secret in a wrong place.
func TestErrorsHoldNothingOfTheRequest(t *testing.T) {
	const secret = "hunter2"
	texts := []string{
		secret, "protocol=https\nhost=h\n" + secret + "\n", "protocol=" + secret + "\nhost=h\n", "protocol=https\nhost=" + secret + "/\n",
		"protocol=https\nhost=h\nauthtype=Bearer\ncredential=" + secret + " \n", "protocol=https\nhost=h\npassword=" + secret + "\r\n",
		"protocol=https\nhost=h\npassword_expiry_utc=" + secret + "\n", "url=https://" + secret + "%zz@h/\n", "url=" + secret + "\n",
		"protocol=https\nhost=h\noauth_issuer=" + secret + "\n", "{" + secret, `{"` + secret + `":1,"` + secret + `":1}`,
		`{"url":"https://h","access_token":"` + secret + ` "}`, `{"url":"https://h","scopes":["` + secret + `\""]}`,
		`{"url":"https://h","expires_at":"` + secret + `"}`, `{"url":"https://h"}` + secret, `{"url":"https://` + secret + `:` + secret + `@h"}`,
		`{"url":"https://h","token_type":"` + secret + `"}`, `{"url":"https://h","expires_in":"` + secret + `"}`,
	}
	for _, text := range texts {
		_, err := Decode(strings.NewReader(text), "")
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

const hostileSecret = "hunter2"

// hostile are requests that a format must refuse, each with the kind of the error: NotFound where it is for something that is
// none of our business, BadInput where it is malformed. git has a table of its own (TestGitRefuses), and json (TestJSONRefuses).
var hostile = map[string]map[string]credential.Kind{
	"kubernetes": {
		`{}`: credential.BadInput, `[]`: credential.BadInput, `null`: credential.BadInput, `{"kind":"ExecCredential"}`: credential.BadInput,
		`{"kind":"Pod","apiVersion":"` + execV1 + `"}`:                                                                           credential.BadInput,
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1alpha1"}`:                                         credential.BadInput,
		`{"kind":"ExecCredential","apiVersion":1}`:                                                                               credential.BadInput,
		`{"Kind":"ExecCredential","apiVersion":"` + execV1 + `"}`:                                                                credential.BadInput,
		`{"kind":"ExecCredential","apiVersion":"` + execV1 + `"}`:                                                                credential.BadInput,
		`{"kind":"ExecCredential","apiVersion":"` + execV1 + `","spec":[]}`:                                                      credential.BadInput,
		`{"kind":"ExecCredential","apiVersion":"` + execV1 + `","spec":{"cluster":{"server":1}}}`:                                credential.BadInput,
		`{"kind":"ExecCredential","apiVersion":"` + execV1 + `","spec":{"cluster":{"server":"https://a","server":"https://b"}}}`: credential.BadInput,
		`{"kind":"ExecCredential","apiVersion":"` + execV1 + `","spec":{"cluster":{"server":"http://h"}}}`:                       credential.BadInput,
		`{"kind":"ExecCredential","apiVersion":"` + execV1 + `","spec":{"cluster":{"server":"https://hunter2:x@h"}}}`:            credential.BadInput,
		`{"kind":"ExecCredential","apiVersion":"` + execV1 + `","spec":{"cluster":{"server":"https://h"}}}x`:                     credential.BadInput,
	},
	"bazel": {
		`{}`: credential.BadInput, `{"uri":""}`: credential.BadInput, `{"uri":null}`: credential.BadInput, `{"uri":1}`: credential.BadInput,
		`{"uri":["https://h"]}`: credential.BadInput, `{"URI":"https://h"}`: credential.BadInput, `{"uri":"https://h","uri":"https://i"}`: credential.BadInput,
		`{"uri":"https://h"}{"uri":"https://i"}`: credential.BadInput, `{"uri":"hunter2"}`: credential.BadInput, `{"uri":"https://"}`: credential.BadInput,
		`{"uri":"https://h/a b"}`: credential.BadInput, `{"uri":"https://h/\n"}`: credential.BadInput, `{"uri":"https://h/#x"}`: credential.BadInput,
		`{"uri":"https://h\\@evil/"}`: credential.NotFound, `{"uri":"https://-h/"}`: credential.BadInput,
		`{"uri":"https://h/` + strings.Repeat("x", 5000) + `"}`: credential.BadInput,
		`{"uri":"http://h/file"}`:                               credential.NotFound, `{"uri":"grpc://h/S/M"}`: credential.NotFound, `{"uri":"ftp://h/"}`: credential.NotFound,
		`{"uri":"file:///etc/passwd"}`: credential.NotFound, `{"uri":"https://me:hunter2@h/"}`: credential.NotFound, `{"uri":"https://b\u00fccher.example/"}`: credential.NotFound,
	},
	"docker": {
		" \n": credential.BadInput, "https://": credential.BadInput, "h h": credential.BadInput, "h\nhost=evil": credential.BadInput,
		"h\x00": credential.BadInput, "https://h/#x": credential.BadInput, "-h": credential.BadInput, "h:99999": credential.BadInput,
		"http://h": credential.NotFound, "ssh://h": credential.NotFound, "https://me:hunter2@h": credential.NotFound, "b\u00fccher.example": credential.NotFound,
		`{"ServerURL":"https://h","Username":"me","Secret":"hunter2"}`:             credential.BadInput,
		`{"ServerURL":"https://h","Username":"<token>","Secret":"hunter2"}`:        credential.BadInput,
		`{"ServerURL":"https://h","Username":"oauth2","Secret":"hunter2\r\nx"}`:    credential.BadInput,
		`{"ServerURL":"https://h","Username":"oauth2","Secret":1}`:                 credential.BadInput,
		`{"ServerURL":"https://h","ServerURL":"https://i","Username":"oauth2"}`:    credential.BadInput,
		`{"serverurl":"https://h","Username":"oauth2","Secret":"abc"}`:             credential.BadInput,
		`{"ServerURL":"","Username":"oauth2","Secret":"abc"}`:                      credential.BadInput,
		`{"ServerURL":"http://h","Username":"oauth2","Secret":"hunter2"}`:          credential.NotFound,
		`{"ServerURL":"https://h","Username":"oauth2","Secret":"hunter2"} hunter2`: credential.BadInput,
	},
	"cargo": {
		"\n": credential.BadInput, "hunter2\n": credential.BadInput, "{}\n": credential.BadInput, `{"v":2,"kind":"get"}`: credential.BadInput,
		`{"v":"1","kind":"get"}`: credential.BadInput, `{"v":1,"kind":"login","token":"hunter2"}`: credential.BadInput, `{"v":1}`: credential.BadInput,
		`{"v":1,"kind":"get"}`: credential.BadInput, `{"v":1,"kind":"get","registry":"https://h"}`: credential.BadInput,
		`{"v":1,"kind":"get","registry":{"index-url":"sparse+h"}}`:                                        credential.BadInput,
		`{"v":1,"kind":"get","registry":{"index-url":"sparse+https://a","index-url":"sparse+https://b"}}`: credential.BadInput,
		`{"v":1,"kind":"get","kind":"get","registry":{"index-url":"sparse+https://a"}}`:                   credential.BadInput,
		`{"v":1,"kind":"get","registry":{"index-url":"sparse+https://h"},"args":["--hunter2"]}`:           credential.BadInput,
		`{"v":1,"kind":"get","registry":{"index-url":"sparse+https://h"},"args":{}}`:                      credential.BadInput,
		`{"v":1,"kind":"get","registry":{"index-url":"https://github.com/rust-lang/crates.io-index"}}`:    credential.NotFound,
		`{"v":1,"kind":"get","registry":{"index-url":"sparse+http://h"}}`:                                 credential.NotFound,
		`{"v":1,"kind":"get","registry":{"index-url":"sparse+https://me:hunter2@h"}}`:                     credential.NotFound,
	},
}

func TestHostileRequests(t *testing.T) {
	for _, f := range Formats() {
		if f.Decode != nil && f.Name != "git" && f.Name != "json" && len(hostile[f.Name]) < 10 {
			t.Errorf("%s: no hostile requests", f.Name)
		}
		for text, want := range hostile[f.Name] {
			req, err := Decode(strings.NewReader(text), f.Name)
			if err == nil || credential.KindOf(err) != want || req.Format != f.Name {
				t.Errorf("%s: %.90q: %v of kind %d, want kind %d", f.Name, text, err, credential.KindOf(err), want)
				continue
			}
			if strings.Contains(err.Error(), hostileSecret) {
				t.Errorf("%s: the error about %q repeats it: %v", f.Name, text, err)
			}
			if f.Variable == "" {
				continue
			}
			if _, err := f.Context(strings.NewReader(text)); err != nil && strings.Contains(err.Error(), hostileSecret) {
				t.Errorf("%s: the error about %q repeats it: %v", f.Name, text, err)
			}
		}
	}
}

// Whoever asks everywhere has an unknown server told in its own protocol, with one line at most, and is told nothing of an error that it
// has no words for.
func TestUnknownServersInTheirOwnWords(t *testing.T) {
	want := map[string]Failure{
		"git": {}, "bazel": {Stdout: `{"headers":{}}` + "\n"}, "docker": {Stdout: "credentials not found in native keychain\n", Code: 1},
		"cargo": {Stdout: `{"Err":{"kind":"not-found"}}` + "\n"},
	}
	unknown := credential.Fail(credential.NotFound, "nobody has signed in", nil)
	expired := credential.Fail(credential.SignInDead, `the sign-in is "dead"`, nil)
	for _, f := range Formats() {
		if (f.Fail != nil) != f.Everywhere {
			t.Errorf("%s: asks everywhere and cannot be told so, or the other way round", f.Name)
		}
		if f.Fail == nil {
			continue
		}
		if got := f.Fail(unknown, unknown.Error()); got == nil || *got != want[f.Name] {
			t.Errorf("%s: %+v, want %+v", f.Name, got, want[f.Name])
		}
		got := f.Fail(expired, expired.Error())
		if f.Name != "cargo" && got != nil {
			t.Errorf("%s: an expired sign-in is told as %+v", f.Name, got)
		}
	}
	got := failCargo(expired, expired.Error())
	if got.Code != 0 || got.Stdout != `{"Err":{"kind":"other","message":"the sign-in is \"dead\""}}`+"\n" {
		t.Errorf("cargo: %+v", got)
	}
	_, err := Decode(strings.NewReader(`{"v":1,"kind":"logout","registry":{"index-url":"sparse+https://h"}}`), "cargo")
	if got := failCargo(err, "x"); got.Stdout != `{"Err":{"kind":"operation-not-supported"}}`+"\n" {
		t.Errorf("cargo: %+v", got)
	}
}

// A token whose expiry nobody knows is answered without one, and never with the beginning of 1970.
func TestUnknownExpiry(t *testing.T) {
	token := goldenToken()
	token.Expiry = time.Time{}
	for _, f := range Formats() {
		var out counter
		if err := f.Encode(&out, Request{}, token); err != nil || strings.Contains(out.String(), "0001") || strings.Contains(strings.ToLower(out.String()), "expir") {
			t.Errorf("%s: %q, %v", f.Name, out.String(), err)
		}
	}
}

func TestServersOfForeignRequests(t *testing.T) {
	cases := []struct {
		format, in, url string
		origin          bool
	}{
		{"bazel", `{"uri":"grpcs://H.example.com:443/a.B/C"}`, "https://h.example.com/a.B/C", false},
		{"bazel", `{"uri":"https://h/a%2Fb?sig=x"}`, "https://h/a%2Fb", false},
		{"bazel", `{"uri":"http://127.0.0.1:8080/x"}`, "http://127.0.0.1:8080/x", false},
		{"bazel", `{"uri":"https://h"}`, "https://h", false},
		{"docker", "registry.example.com", "https://registry.example.com", true},
		{"docker", "Registry:5000\r\n", "https://registry:5000", true},
		{"docker", "localhost:5000", "http://localhost:5000", true},
		{"docker", "https://h/", "https://h", true},
		{"docker", "https://index.docker.io/v1/", "https://index.docker.io/v1/", false},
		{"docker", `{"ServerURL":"h.example","Username":"oauth2","Secret":"abc"}`, "https://h.example", false},
		{"cargo", `{"v":1,"kind":"get","registry":{"index-url":"sparse+https://h/index/"}}`, "https://h/index/", false},
		{"kubernetes", `{"kind":"ExecCredential","apiVersion":"` + execV1 + `","spec":{"cluster":{"server":"https://10.0.0.1:6443"}}}`, "https://10.0.0.1:6443", false},
	}
	for _, c := range cases {
		req, err := Decode(strings.NewReader(c.in), c.format)
		if err != nil || req.Query.URL != c.url || req.Query.OriginOf != c.origin {
			t.Errorf("%s: %q: %+v, %v", c.format, c.in, req.Query, err)
		}
	}
}

func TestAnswersThatDependOnTheRequest(t *testing.T) {
	cases := []struct{ format, in, want string }{
		{"kubernetes", seeds["kubernetes"][1], `"apiVersion":"client.authentication.k8s.io/v1beta1"`},
		{"docker", "registry.example.com\n", `{"ServerURL":"registry.example.com",`},
		{"cargo", seeds["cargo"][1], `"token":"Bearer ey.J0-_~+/=="`},
	}
	for _, c := range cases {
		req, err := Decode(strings.NewReader(c.in), c.format)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := ByName(c.format)
		var out counter
		if err := f.Encode(&out, req, goldenToken()); err != nil || !strings.Contains(out.String(), c.want) || !json.Valid([]byte(out.String())) {
			t.Errorf("%s: %q, %v", c.format, out.String(), err)
		}
	}
}

// Cargo keeps the pipe open until it has its answer.
func TestCargoStopsAtItsLine(t *testing.T) {
	stdin, caller := io.Pipe()
	defer caller.Close()
	go func() { _, _ = io.WriteString(caller, seeds["cargo"][0]) }()
	done := make(chan error, 1)
	go func() { _, err := Decode(stdin, "cargo"); done <- err }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Decode waits for the end of stdin")
	}
}

func TestShells(t *testing.T) {
	for shell, want := range map[string]string{
		"posix": "export X_1='ey.J0-_~+/=='\n", "fish": "set -gx X_1 'ey.J0-_~+/=='\n",
		"powershell": "$env:X_1 = 'ey.J0-_~+/=='\n", "cmd": "set \"X_1=ey.J0-_~+/==\"\r\n",
	} {
		var out counter
		if err := encodeEnv(&out, Request{Shell: shell, Variable: "X_1"}, goldenToken()); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v", shell, out.String(), err)
		}
	}
	for _, bad := range [][2]string{{"bash", ""}, {"", "1X"}, {"", "A B"}, {"", "A=B"}, {"", "A;b"}, {"", "\u00c4"}, {"", strings.Repeat("A", 129)}} {
		if err := CheckEnv(bad[0], bad[1]); credential.KindOf(err) != credential.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAzureTenants(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0": "contoso.onmicrosoft.com", "https://login.microsoftonline.us/contoso.com": "contoso.com",
		"https://id.example.com/tenant/v2.0": "", "": "", "https://login.microsoftonline.com.evil.example/contoso.com": "",
	} {
		if got := tenant(issuer); got != want {
			t.Errorf("%q: %q", issuer, got)
		}
	}
	if got := AzureResource("api://app/.default"); got != "api://app" {
		t.Errorf("%q", got)
	}
}

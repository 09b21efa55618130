package oauth

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
	"github.com/mcp-credential/mcp-credential/source"
)

// FuzzTokenResponse accepts a response, writes what was accepted as a response again, and accepts it again.
func FuzzTokenResponse(f *testing.F) {
	for _, seed := range []string{goodToken, `{}`, `null`, `[`, `{"access_token":"a","expires_in":1e99}`, `{"access_token":"a","expires_in":"NaN"}`,
		`{"access_token":"a","id_token":"a.e30.c","refresh_in":5,"expires_in":"9"}`, `{"error":"x","error_description":"\u0000"}`} {
		f.Add(200, seed)
		f.Add(400, seed)
	}
	now := time.Unix(1_700_000_000, 0)
	s := New(source.Config{Now: func() time.Time { return now }, Jitter: func() float64 { return 0 }})
	read := func(status int, body []byte) (credential.Answer, error) {
		r := newReply(&http.Response{StatusCode: status}, body)
		r.sent = now
		return s.accept(r, credential.Target{}, client{id: "c"}, credential.Grant{RefreshToken: r.refreshToken()})
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		a, err := read(status, []byte(body))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x00\x1b") || credential.KindOf(err) == credential.Internal {
				t.Fatalf("error %q", err)
			}
			return
		}
		token := a.Token
		if !credential.CheckBearer(token.Access.Reveal()) || token.Expiry.Before(token.Obtained) && !token.Expiry.IsZero() || token.RefreshAt.After(token.Expiry) {
			t.Fatalf("accepted %+v", token)
		}
		again, err := read(200, write(t, a))
		if err != nil || again.Token.Access.Reveal() != token.Access.Reveal() || again.Grant.RefreshToken.Reveal() != a.Grant.RefreshToken.Reveal() ||
			again.Token.Expiry.Sub(token.Expiry).Abs() > time.Second || strings.Join(again.Token.Scopes, " ") != strings.Join(token.Scopes, " ") {
			t.Fatalf("%+v became %+v, %v", token, again.Token, err)
		}
	})
}

func write(t *testing.T, a credential.Answer) []byte {
	m := map[string]any{"access_token": a.Token.Access.Reveal(), "token_type": a.Token.Type, "refresh_token": a.Grant.RefreshToken.Reveal(), "scope": strings.Join(a.Token.Scopes, " ")}
	if !a.Token.Expiry.IsZero() {
		m["expires_in"] = a.Token.Expiry.Sub(a.Token.Obtained).Seconds()
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzPasted reads a pasted redirect, writes it again, and reads it again; only the right state and issuer get a code
// out of it.
func FuzzPasted(f *testing.F) {
	const redirect = "http://127.0.0.1:5/callback"
	for _, seed := range []string{"", "?", redirect, redirect + "?code=c&state=s&iss=i", "code=c&state=s&iss=i#x", "?error=x&state=s&iss=i", "https://evil/?code=c&state=s"} {
		f.Add(seed)
	}
	a := attempt{Attempt: source.Attempt{Redirect: redirect, State: "s"}, target: credential.Target{Endpoints: credential.Endpoints{Issuer: "i", IssInResponse: true}}}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := loopback.ParsePasted(text, redirect)
		if err != nil {
			if credential.KindOf(err) != credential.BadInput {
				t.Fatal(err)
			}
			return
		}
		again, err := loopback.ParsePasted(redirect+"?"+values.Encode(), redirect)
		if err == nil && again.Encode() != values.Encode() {
			t.Fatalf("%v became %v", values, again)
		}
		code, err := a.judge(values)
		if right := equalOnly(values, "state", "s") && equalOnly(values, "iss", "i"); err == nil && (!right || code == "") {
			t.Fatalf("%q gave %q", text, code)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
			t.Fatalf("error %q", err)
		}
	})
}

func equalOnly(values url.Values, name, want string) bool {
	return len(values[name]) == 1 && values[name][0] == want
}

package protocol

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

var jsonNow = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func decodeAt(text string) (Request, error) {
	return jsonDecoder{now: func() time.Time { return jsonNow }}.decode(strings.NewReader(text))
}

func TestJSONRequests(t *testing.T) {
	abc := credential.NewSecret("abc")
	cases := map[string]Request{
		`{"url":"https://H:443/mcp/"}`: {Query: credential.Query{URL: "https://h/mcp/"}},
		"{ \"url\" : \"http://localhost:1/mcp\" , \"x\" : {\"x\":[null]}, \"URL\":1 }\r\n": {Query: credential.Query{URL: "http://localhost:1/mcp"}},
		`{"url":"https://h","access_token":"abc","expires_in":3600}`: {Query: credential.Query{URL: "https://h"},
			Access: abc, Type: "Bearer", Expiry: jsonNow.Add(time.Hour)},
		`{"url":"https://h","access_token":"abc","token_type":"BEARER","expires_at":"2030-01-01T01:00:00.5+01:00","expires_in":1}`: {
			Query: credential.Query{URL: "https://h"}, Access: abc, Type: "Bearer",
			Expiry: time.Date(2030, 1, 1, 0, 0, 0, 5e8, time.UTC)},
		`{"url":"https://h","access_token":"abc","refresh_token":"r","issuer":"https://id/","client_id":"c","account":"Zoë","scopes":["a","b:c"]}`: {
			Query:  credential.Query{URL: "https://h", ClientID: "c", Account: "Zoë", Scopes: []string{"a", "b:c"}},
			Access: abc, Type: "Bearer", Refresh: credential.NewSecret("r"), Issuer: "https://id/", ClientID: "c"},
		`{"url":"https://h","challenge":"Bearer error=\"insufficient_scope\"","scopes":[]}`: {
			Query: credential.Query{URL: "https://h", Challenge: `Bearer error="insufficient_scope"`, Scopes: []string{}}},
		`{"url":"https://h","access_token":null,"expires_in":null,"scopes":null,"token_type":"Bearer"}`: {
			Query: credential.Query{URL: "https://h"}},
		`{"url":"https://h","expires_in":0}`: {Query: credential.Query{URL: "https://h"}, Expiry: jsonNow},
	}
	for in, want := range cases {
		if got, err := decodeAt(in); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", in, got, err, want)
		}
	}
}

func TestJSONRefuses(t *testing.T) {
	with := func(more string) string { return `{"url":"https://h",` + more + `}` }
	cases := map[string]string{ // request to a part of the sentence
		`{}`: "empty", `{"url":""}`: "empty", `{"url":"http://h"}`: "http", `{"url":"https://u:p@h"}`: "user name",
		`{"url":"https://h/\n"}`: "control", `{"url":1}`: "url of the JSON request must be a string", `{"url":["https://h"]}`: "string",
		`[]`: "object", `{`: "object", `{"url"`: "object", `{"url":`: "object", `{"url":"https://h"`: "object", `{,}`: "object",
		`{"url":"https://h",}`: "object", "": "object", `nul`: "object", `{"url":"https://h"}}`: "data after",
		`{"url":"https://h"}{"url":"https://evil"}`: "data after", with(`"url":"https://evil"`): "twice",
		with(`"\u0075rl":"https://evil"`): "twice", with(`"x":1,"x":1`): "twice",
		with(`"access_token":"a b"`): "bearer", with(`"access_token":"a\n"`): "bearer", with(`"access_token":7`): "access_token",
		with(`"token_type":"DPoP","access_token":"a"`): "token_type", with(`"token_type":{}`): "token_type",
		with(`"expires_at":"tomorrow"`): "expires_at", with(`"expires_at":1893456000`): "expires_at",
		with(`"expires_at":"9999-12-31T23:59:59-01:00"`): "expires_at", with(`"expires_in":"3600"`): "whole number",
		with(`"expires_in":1.5`): "whole number", with(`"expires_in":-1`): "lifetime", with(`"expires_in":9223372036854775807`): "lifetime",
		with(`"expires_in":9223372036854775808`): "whole number", with(`"refresh_token":"a\u0000"`): "refresh token",
		with(`"refresh_token":"é"`): "refresh token", with(`"issuer":"http://id"`): "issuer", with(`"issuer":"javascript:x"`): "issuer",
		with(`"client_id":"a\nb"`): "client id", with(`"scopes":"a b"`): "list of strings", with(`"scopes":[1]`): "list of strings",
		with(`"scopes":["a b"]`): "scopes", with(`"scopes":[""]`): "scopes", with(`"scopes":[null]`): "scopes",
		with(`"account":"a\u001b[2J"`): "control", with(`"challenge":"Bearer\r\n"`): "control",
		with(`"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000)): "object",
	}
	for in, want := range cases {
		_, err := decodeAt(in)
		if err == nil || credential.KindOf(err) != credential.BadInput || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: %v, want a sentence with %q", in, err, want)
		}
	}
}

func TestJSONAnswersLeaveTheUnknownExpiryOut(t *testing.T) {
	var out counter
	err := encodeJSON(&out, Request{}, credential.Token{Access: credential.NewSecret("abc")})
	want := `{"access_token":"abc","token_type":"Bearer","scopes":[],"account":"","issuer":"","resource":""}` + "\n"
	if err != nil || out.String() != want {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// A name with a line end in it stays inside its string: one answer is one line.
func TestJSONAnswersAreOneLine(t *testing.T) {
	token := goldenToken()
	token.Account, token.Scopes = "a\n\r\u2028\"\xff", []string{"\n"}
	var out counter
	if err := encodeJSON(&out, Request{}, token); err != nil || strings.IndexByte(out.String(), '\n') != len(out.String())-1 || strings.Contains(out.String(), "\r") {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

package fakeworld

import "time"

// Lie is something false or hostile that a server does, and what the program must make of it: a typed error within the
// limit, in little memory, and no request to anybody else. cmd/script runs them all.
type Lie struct {
	Name  string
	Do    string        // LieLogin, LieRefresh, LieGet or LieCall
	Knobs string        // JSON of a Behaviour; $ISSUER, $SERVER and $ELSEWHERE stand for addresses
	Code  int           // the exit code; of LieCall: 0
	Says  string        // a regular expression for stderr, or for what the host of a bridge reads
	Limit time.Duration // 0: LieLimit
}

// The commands that are lied to. All but LieLogin have signed in before, and have no access token that lives.
const (
	LieLogin   = "login"
	LieRefresh = "refresh" // the process that a get starts, in the foreground
	LieGet     = "get"
	LieCall    = "call" // a bridge, whose host calls a tool
)

// LieLimit is how long a command may take where its Lie does not say.
const LieLimit = 10 * time.Second

// Lies are all of them.
func Lies() []Lie {
	var all []Lie
	for _, some := range [][]Lie{liesOfMetadata, liesOfTokens, liesOfRedirects, liesOfMessages} {
		all = append(all, some...)
	}
	return all
}

const (
	asJSON   = `"header":{"Content-Type":"application/json"}`
	asEvents = `"header":{"Content-Type":"text/event-stream"}`
)

var liesOfMetadata = []Lie{
	{Name: "a resource document without end", Do: LieLogin, Code: 5, Says: `larger than 1048576 bytes`,
		Knobs: `{"faults":[{"on":"resource_metadata","status":200,` + asJSON + `,"body":"{\"resource\":\"","flood":{"repeat":"aaaaaaaa"}}]}`},
	{Name: "metadata without end", Do: LieLogin, Code: 5, Says: `larger than 1048576 bytes`,
		Knobs: `{"faults":[{"on":"oauth_metadata","status":200,` + asJSON + `,"flood":{"repeat":"        "}}]}`},
	{Name: "metadata that drips", Do: LieLogin, Code: 4, Says: `.`, Limit: 25 * time.Second,
		Knobs: `{"faults":[{"on":"oauth_metadata","status":200,` + asJSON + `,"flood":{"repeat":" ","every":"100ms"}}]}`},
	{Name: "a gzip bomb as metadata", Do: LieLogin, Code: 5, Says: `larger than 1048576 bytes`,
		Knobs: `{"faults":[{"on":"oauth_metadata","status":200,` + asJSON + `,"flood":{"repeat":"                ","most":16777216,"gzip":true}}]}`},
	{Name: "a gzip bomb as resource document", Do: LieLogin, Code: 5, Says: `larger than 1048576 bytes`,
		Knobs: `{"faults":[{"on":"resource_metadata","status":200,` + asJSON + `,"flood":{"repeat":"                ","most":16777216,"gzip":true}}]}`},
	{Name: "metadata that is no gzip", Do: LieLogin, Code: 4, Says: `broke off`,
		Knobs: `{"faults":[{"on":"oauth_metadata","status":200,"header":{"Content-Type":"application/json","Content-Encoding":"gzip"},"body":"{}"}]}`},
	{Name: "a header flood of metadata", Do: LieLogin, Code: 4, Says: `.`,
		Knobs: `{"faults":[{"on":"oauth_metadata","status":200,"body":"{}","flood":{"headers":900}}]}`},
	{Name: "a header flood of the server", Do: LieLogin, Code: 4, Says: `.`,
		Knobs: `{"faults":[{"on":"mcp","status":401,"flood":{"headers":900}}]}`},
	{Name: "deep nesting in metadata", Do: LieLogin, Code: 5, Says: `.`,
		Knobs: `{"faults":[{"on":"oauth_metadata","status":200,` + asJSON + `,"body":"{\"issuer\":","flood":{"nested":200000}},` +
			`{"on":"openid_metadata","status":200,` + asJSON + `,"body":"{\"issuer\":","flood":{"nested":200000}}]}`},
	{Name: "deep nesting in the resource document", Do: LieLogin, Code: 5, Says: `not JSON`,
		Knobs: `{"faults":[{"on":"resource_metadata","status":200,` + asJSON + `,"body":"{\"x\":","flood":{"nested":200000}}]}`},
	{Name: "an issuer of a wrong type", Do: LieLogin, Code: 5, Says: `wrong type`, Knobs: `{"metadata":{"issuer":["a"]}}`},
	{Name: "a token endpoint of a wrong type", Do: LieLogin, Code: 5, Says: `wrong type`, Knobs: `{"metadata":{"token_endpoint":{"a":1}}}`},
	{Name: "scopes of a wrong type", Do: LieLogin, Code: 5, Says: `wrong type`, Knobs: `{"challenge":"Bearer","resource_metadata":{"scopes_supported":7}}`},
	{Name: "authorization servers of a wrong type", Do: LieLogin, Code: 5, Says: `wrong type`, Knobs: `{"resource_metadata":{"authorization_servers":"a"}}`},
	{Name: "an issuer twice", Do: LieLogin, Code: 5, Says: `belongs to the issuer`,
		Knobs: `{"faults":[{"on":"oauth_metadata","status":200,` + asJSON + `,"body":"{\"issuer\":\"$ISSUER\",\"issuer\":\"$ELSEWHERE\"}"},` +
			`{"on":"openid_metadata","status":200,` + asJSON + `,"body":"{\"issuer\":\"$ISSUER\",\"issuer\":\"$ELSEWHERE\"}"}]}`},
	{Name: "another issuer", Do: LieLogin, Code: 5, Says: `belongs to the issuer`, Knobs: `{"metadata":{"issuer":"$ELSEWHERE"}}`},
	{Name: "metadata that redirects to another port of loopback", Do: LieLogin, Code: 5, Says: `redirects to another origin`,
		Knobs: `{"faults":[{"on":"oauth_metadata","status":302,"header":{"Location":"$ELSEWHERE/"}}]}`},
	{Name: "a resource document that redirects to another port of loopback", Do: LieLogin, Code: 5, Says: `redirects to another origin`,
		Knobs: `{"faults":[{"on":"resource_metadata","status":307,"header":{"Location":"$ELSEWHERE/"}}]}`},
	{Name: "a redirect loop of metadata", Do: LieLogin, Code: 5, Says: `redirects more than 5 times`,
		Knobs: `{"faults":[{"on":"oauth_metadata","status":302,"header":{"Location":"$ISSUER/.well-known/oauth-authorization-server"}}]}`},
	{Name: "a scope with a control character", Do: LieLogin, Code: 5, Says: `scope with invalid characters`,
		Knobs: `{"challenge":"Bearer","resource_metadata":{"scopes_supported":["a\u001b[2J"]}}`},
	{Name: "a scope with a direction mark", Do: LieLogin, Code: 5, Says: `scope with invalid characters`,
		Knobs: `{"challenge":"Bearer","resource_metadata":{"scopes_supported":["a\u202eb"]}}`},
	{Name: "a name with direction marks", Do: LieLogin, Code: 0, Says: `signed in to`, Knobs: `{"resource_metadata":{"resource_name":"Evil\u202egnp\u2066"}}`},
}

var liesOfTokens = []Lie{
	{Name: "a token answer without end", Do: LieRefresh, Code: 5, Says: `larger than`,
		Knobs: `{"faults":[{"on":"token","status":200,` + asJSON + `,"body":"{\"access_token\":\"","flood":{"repeat":"aaaaaaaa"}}]}`},
	{Name: "a token answer that drips", Do: LieGet, Code: 4, Says: `.`,
		Knobs: `{"faults":[{"on":"token","status":200,` + asJSON + `,"flood":{"repeat":" ","every":"100ms"}}]}`},
	{Name: "a gzip bomb as token answer", Do: LieRefresh, Code: 5, Says: `larger than`,
		Knobs: `{"faults":[{"on":"token","status":200,` + asJSON + `,"flood":{"repeat":"                ","most":16777216,"gzip":true}}]}`},
	{Name: "deep nesting in a token answer", Do: LieRefresh, Code: 5, Says: `.`,
		Knobs: `{"faults":[{"on":"token","status":200,` + asJSON + `,"body":"{\"access_token\":","flood":{"nested":100000}}]}`},
	{Name: "an access token of a wrong type", Do: LieRefresh, Code: 5, Says: `.`, Knobs: `{"token":{"access_token":[1]}}`},
	{Name: "an expiry of a wrong type", Do: LieRefresh, Code: 5, Says: `.`, Knobs: `{"token":{"expires_in":{"a":1}}}`},
	{Name: "a token with a line break", Do: LieRefresh, Code: 5, Says: `may not travel in a header`, Knobs: `{"token":{"access_token":"a\r\nX: y"}}`},
	{Name: "a token request that is redirected", Do: LieRefresh, Code: 5, Says: `redirects a request that carries credentials`,
		Knobs: `{"faults":[{"on":"token","status":307,"header":{"Location":"$ELSEWHERE/token"}}]}`},
	{Name: "an error with escape codes", Do: LieRefresh, Code: 5, Says: `\?\[31mred`,
		Knobs: `{"faults":[{"on":"token","status":400,` + asJSON + `,"body":"{\"error\":\"invalid_scope\",\"error_description\":\"\\u001b[31mred\"}"}]}`},
	{Name: "an access token twice", Do: LieRefresh, Code: 5, Says: `may not travel in a header`,
		Knobs: `{"faults":[{"on":"token","status":200,` + asJSON + `,"body":"{\"access_token\":\"a\",\"access_token\":\"a b\",\"token_type\":\"Bearer\"}"}]}`},
	{Name: "scopes with a control character in a token answer", Do: LieRefresh, Code: 0, Says: `^$`, Knobs: `{"token":{"scope":"a\u0007b"}}`},
}

var liesOfRedirects = []Lie{
	{Name: "iss of another issuer", Do: LieLogin, Code: 5, Says: `.`, Knobs: `{"redirect":{"iss":"$ELSEWHERE"}}`},
	{Name: "iss that is missing", Do: LieLogin, Code: 5, Says: `.`, Knobs: `{"redirect":{"iss":null}}`},
	{Name: "a code of nobody", Do: LieLogin, Code: 5, Says: `.`, Knobs: `{"redirect":{"code":"co_of_another_sign_in"}}`},
	{Name: "no code", Do: LieLogin, Code: 5, Says: `.`, Knobs: `{"redirect":{"code":null}}`},
}

var liesOfMessages = []Lie{
	{Name: "an answer to nobody", Do: LieCall, Says: `"id":2,.*fine`,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,` + asEvents + `,"body":"data: {\"jsonrpc\":\"2.0\",\"id\":999,\"result\":{}}\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[],\"note\":\"fine\"}}\n\n"}]}`},
	{Name: "an answer with an unknown id", Do: LieCall, Says: `"id":2,"result"`,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,` + asJSON + `,"body":"{\"jsonrpc\":\"2.0\",\"id\":999,\"result\":{}}"}]}`},
	{Name: "an answer with two ids", Do: LieCall, Says: `"id":2,`,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,` + asJSON + `,"body":"{\"jsonrpc\":\"2.0\",\"id\":999,\"id\":2,\"result\":{}}"}]}`},
	{Name: "a stream of answers to nobody without end", Do: LieCall, Says: `"id":2,"result"`,
		Knobs: `{"faults":[{"on":"mcp","method":"GET","status":200,` + asEvents + `,"flood":{"repeat":"data: {\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}\n\n"}}]}`},
	{Name: "an answer that is no message", Do: LieCall, Says: `"id":2,"error"`,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,` + asJSON + `,"body":"[7]"}]}`},
	{Name: "an answer that is a page", Do: LieCall, Says: `"id":2,"error"`,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,"header":{"Content-Type":"text/html"},"body":"<html>"}]}`},
	{Name: "deep nesting in an answer", Do: LieCall, Says: `"id":2,`,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,` + asJSON + `,"body":"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":","flood":{"nested":200000}}]}`},
	{Name: "a header flood of an answer", Do: LieCall, Says: `"id":2,"error"`, Limit: 30 * time.Second,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,"flood":{"headers":900}}]}`},
	{Name: "a call that is redirected", Do: LieCall, Says: `"id":2,"error"`,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":307,"header":{"Location":"$ELSEWHERE/mcp"}}]}`},
	{Name: "a redirect loop of a call", Do: LieCall, Says: `"id":2,"error"`,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":307,"header":{"Location":"$SERVER"}}]}`},
	{Name: "an error page without end", Do: LieCall, Says: `"id":2,"error"`,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":404,"header":{"Content-Type":"text/html"},"flood":{"repeat":"aaaaaaaa"}}]}`},
	{Name: "events without end that say nothing", Do: LieCall, Says: ``,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,` + asEvents + `,"flood":{"repeat":": aaaaaaaa\n\n"}}]}`},
	{Name: "pings without end", Do: LieCall, Says: ``,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,` + asEvents + `,"flood":{"repeat":"event: ping\ndata: {}\n\n"}}]}`},
	{Name: "a line of an event without end", Do: LieCall, Says: `"id":2,"error"`, Limit: 20 * time.Second,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,` + asEvents + `,"body":"data: ","flood":{"repeat":"aaaaaaaa"}}]}`},
	{Name: "an answer without end", Do: LieCall, Says: `"id":2,"error"`, Limit: 20 * time.Second,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,` + asJSON + `,"body":"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"","flood":{"repeat":"aaaaaaaa"}}]}`},
	{Name: "a gzip bomb as answer", Do: LieCall, Says: `"id":2,"error"`, Limit: 20 * time.Second,
		Knobs: `{"faults":[{"on":"mcp","says":"tools/call","status":200,` + asJSON + `,"body":"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"","flood":{"repeat":"aaaaaaaaaaaaaaaa","most":16777216,"gzip":true}}]}`},
}

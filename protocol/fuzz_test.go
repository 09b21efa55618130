package protocol

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// answer is the token that a request is answered with: its own where it has one.
func answer(req Request) credential.Token {
	t := credential.Token{Access: req.Access, Type: req.Type, Expiry: req.Expiry, Scopes: req.Query.Scopes,
		Account: req.Query.Account, Issuer: req.Issuer, Resource: req.Query.URL}
	if t.Access.IsZero() {
		t.Access = credential.NewSecret("fuzz")
	}
	return t
}

// sane fails for a request that no decoder may return.
func sane(t *testing.T, req Request) {
	t.Helper()
	if again, err := credential.ParseServerURL(req.Query.URL); err != nil || again != req.Query.URL {
		t.Fatalf("the URL %q is not canonical: %q, %v", req.Query.URL, again, err)
	}
	if !req.Access.IsZero() && !credential.CheckBearer(req.Access.Reveal()) {
		t.Fatalf("the access token %q is none", req.Access.Reveal())
	}
	if strings.ContainsAny(req.User+req.Issuer+req.ClientID+req.Query.Account+req.Query.Challenge, "\r\n\x00") {
		t.Fatalf("a line end in %+v", req)
	}
}

// FuzzGit sends git's own way back what was answered: request, answer, and the store that git makes of both.
func FuzzGit(f *testing.F) {
	for _, seed := range seeds["git"] {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		req, err := Decode(strings.NewReader(text), "git")
		if err != nil {
			return
		}
		sane(t, req)
		token := answer(req)
		var out bytes.Buffer
		if err := encodeGit(&out, req, token); err != nil {
			t.Fatal(err)
		}
		again, err := Decode(strings.NewReader("url="+req.Query.URL+"\n"+out.String()), "git")
		if err != nil {
			t.Fatalf("%v in %q", err, out.String())
		}
		sane(t, again)
		if again.Query.URL != req.Query.URL || !again.Access.Equal(token.Access) || !again.Expiry.Equal(req.Expiry) {
			t.Fatalf("%+v came back as %+v", req, again)
		}
		if again.AuthType != req.AuthType || again.State != req.State || again.Ours != req.State || again.Ephemeral != req.AuthType {
			t.Fatalf("%+v came back as %+v", req, again)
		}
		if (again.Type == "Bearer") != req.AuthType || !req.AuthType && again.User != gitUser(req.User) {
			t.Fatalf("%+v came back as %+v", req, again)
		}
	})
}

// FuzzJSON reads its own answer back as the request that stores it.
func FuzzJSON(f *testing.F) {
	for _, seed := range seeds["json"] {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		req, err := decodeAt(text)
		if err != nil {
			return
		}
		sane(t, req)
		token := answer(req)
		var out bytes.Buffer
		if err := encodeJSON(&out, req, token); err != nil {
			t.Fatal(err)
		}
		server, err := json.Marshal(req.Query.URL)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeAt(`{"url":` + string(server) + `,` + out.String()[1:])
		if err != nil {
			t.Fatalf("%v in %q", err, out.String())
		}
		want := req
		want.Query.ClientID, want.Query.Challenge, want.ClientID, want.Refresh = "", "", "", credential.Secret{}
		want.Query.Scopes = append([]string{}, want.Query.Scopes...)
		want.Access, want.Type = token.Access, "Bearer"
		if !want.Expiry.IsZero() {
			want.Expiry = want.Expiry.Truncate(time.Second)
		}
		if !reflect.DeepEqual(again, want) {
			t.Fatalf("%+v came back as %+v, want %+v", req, again, want)
		}
	})
}

// FuzzAnswers writes any text as a token in every format: nothing, or an answer from which the caller's own reading
// gets exactly that text.
func FuzzAnswers(f *testing.F) {
	for _, row := range Formats() {
		for _, seed := range seeds[row.Name] {
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxGitLine/2 {
			return // git's own limit, not the token's characters, decides there
		}
		token := credential.Token{Access: credential.NewSecret(text)}
		for _, row := range Formats() {
			var out bytes.Buffer
			err := row.Encode(&out, Request{}, token)
			if (err == nil) != credential.CheckBearer(text) || err != nil && out.Len() != 0 {
				t.Fatalf("%s: %q for %q, %v", row.Name, out.String(), text, err)
			}
			if err == nil && callerReads(t, row.Name, out.String()) != text {
				t.Fatalf("%s: %q came out as %q", row.Name, text, out.String())
			}
		}
	})
}

// callerReads takes the token out of an answer the way its callers do.
func callerReads(t *testing.T, format, out string) string {
	t.Helper()
	line, rest, _ := strings.Cut(out, "\n")
	switch format {
	case "git":
		return strings.TrimSuffix(strings.TrimPrefix(rest, "password="), "\n")
	case "headers":
		var headers map[string]string
		if err := json.Unmarshal([]byte(out), &headers); err != nil || len(headers) != 1 {
			t.Fatalf("%q: %v", out, err)
		}
		return strings.TrimPrefix(headers["Authorization"], "Bearer ")
	case "header":
		return strings.TrimPrefix(line, "Authorization: Bearer ")
	case "json":
		var object map[string]any
		if err := json.Unmarshal([]byte(out), &object); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		return object["access_token"].(string)
	}
	return line
}

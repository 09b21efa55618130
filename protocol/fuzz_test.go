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
	if strings.ContainsAny(req.Asked+req.Version, "\r\n\x00") {
		t.Fatalf("a line end in %+v", req)
	}
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

// FuzzRequests has every format read any text: a request that no decoder may return never comes out of it, and what its
// caller is told of an error is at most one line of its protocol.
func FuzzRequests(f *testing.F) {
	for _, name := range requests() {
		for _, seed := range seeds[name] {
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, row := range Formats() {
			if row.Decode == nil {
				continue
			}
			req, err := Decode(strings.NewReader(text), row.Name)
			if req.Format != row.Name {
				t.Fatalf("%s: the format is lost on the way", row.Name)
			}
			if err == nil {
				sane(t, req)
				continue
			}
			if kind := credential.KindOf(err); kind != credential.BadInput && (kind != credential.NotFound || !row.Everywhere) {
				t.Fatalf("%s: %v of kind %d", row.Name, err, kind)
			}
			if row.Fail == nil {
				continue
			}
			if told := row.Fail(err, err.Error()); told != nil && strings.Count(told.Stdout, "\n") > 1 {
				t.Fatalf("%s: %q", row.Name, told.Stdout)
			}
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
	case "env":
		parts := strings.FieldsFunc(out, func(c rune) bool { return c == '\'' || c == '\n' })
		return parts[len(parts)-1]
	case "json":
		return at(t, out, "access_token")
	case "azure":
		return at(t, out, "accessToken")
	case "kubernetes":
		return at(t, out, "status", "token")
	case "bazel":
		return strings.TrimPrefix(at(t, out, "headers", "Authorization"), "Bearer ")
	case "docker":
		return at(t, out, "Secret")
	case "cargo":
		return at(t, out, "Ok", "token")
	}
	return line
}

// at is the text below keys of a JSON object, the only one of a list.
func at(t *testing.T, out string, keys ...string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(out), &value); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	for _, key := range keys {
		inner, ok := value.(map[string]any)
		if !ok {
			t.Fatalf("%q has no %s", out, key)
		}
		value = inner[key]
	}
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	text, ok := value.(string)
	if !ok {
		t.Fatalf("%q has no text at %v", out, keys)
	}
	return text
}

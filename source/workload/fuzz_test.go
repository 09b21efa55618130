package workload

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/source"
)

// answer is an http.RoundTripper that always answers the same.
type answer struct {
	status int
	retry  string
	body   string
}

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: http.Header{"Retry-After": {a.retry}}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// Whatever the OIDC service of a CI system answers, it is a token in the form of a JWT, or an error of a known kind with nothing of the
// answer in it.
func FuzzServiceAnswer(f *testing.F) {
	for _, seed := range []string{`{"value":"a.b.c"}`, `{"value":"a.b"}`, `{"value":1}`, `null`, `<html>`, `{"value":"a.b.c","value":7}`} {
		f.Add(200, "", seed)
		f.Add(503, "9", seed)
	}
	f.Add(429, "Fri, 31 Dec 2099 23:59:59 GMT", "")
	environment := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "https://ci.example.com/token", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
	f.Fuzz(func(t *testing.T, status int, retry, body string) {
		if status < 200 || status > 599 || status/100 == 3 {
			return // no final answer of HTTP, or one that the client follows
		}
		c := source.Config{Client: &http.Client{Transport: answer{status, retry, body}}, Now: time.Now, Trace: func(string) {}}
		token, err := GitHub(context.Background(), c, func(name string) string { return environment[name] }, "audience")
		if err == nil {
			if status != http.StatusOK || strings.Count(token.Reveal(), ".") != 2 {
				t.Fatalf("status %d and %q became a token", status, body)
			}
			return
		}
		if kind := credential.KindOf(err); kind == credential.Internal || strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
			t.Fatalf("%q of kind %v", err, kind)
		}
	})
}

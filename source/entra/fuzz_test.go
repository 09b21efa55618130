package entra

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// FuzzReply: whatever is answered, the sentence for people has nothing of it but a code, an id and a time, and a token
// that is accepted may travel in a header.
func FuzzReply(f *testing.F) {
	f.Add(200, `{"access_token":"a.e30.c","expires_in":"3600","token_type":"Bearer","refresh_token":"r"}`)
	f.Add(400, `{"error":"invalid_grant","error_description":"AADSTS50173: x Correlation ID: y Timestamp: z","error_codes":[50173],"claims":"{}"}`)
	f.Add(429, `<html>`)
	f.Add(200, `{"access_token":["x"],"error":7,"correlation_id":"\u001b[31m"}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		now := time.Unix(1700000000, 0)
		r := newReply(&http.Response{StatusCode: status, Header: http.Header{}}, []byte(body), now, now)
		if !r.ok() {
			e := r.refusal(credential.Target{}, now)
			if strings.ContainsAny(e.Error(), "\x00\x1b\n<") || len(e.Error()) > 500 {
				t.Fatalf("%q", e.Error())
			}
			return
		}
		a, err := r.accept(credential.Target{}, nil, 0)
		if err == nil && (!credential.CheckBearer(a.Token.Access.Reveal()) || !a.Token.Expiry.After(now)) {
			t.Fatalf("%+v", a)
		}
	})
}

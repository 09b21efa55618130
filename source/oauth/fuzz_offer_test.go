package oauth

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/source"
)

// FuzzRegistration: a client that is accepted has an identifier that fits a form and a header.
func FuzzRegistration(f *testing.F) {
	for _, seed := range []string{`{"client_id":"c"}`, `{"client_id":"c","client_secret":"s","token_endpoint_auth_method":"client_secret_post"}`, `{}`, `null`,
		`{"client_id":"a\nb"}`, `{"client_id":7}`, `{"error":"invalid_redirect_uri","error_description":"\u001b[31m"}`, `{"client_id":"c","client_secret":"s","token_endpoint_auth_method":"tls_client_auth"}`} {
		f.Add(201, seed)
		f.Add(400, seed)
	}
	s := New(source.Config{Now: time.Now, Jitter: func() float64 { return 0 }})
	f.Fuzz(func(t *testing.T, status int, body string) {
		c, err := s.registered(newReply(&http.Response{StatusCode: status}, []byte(body)), credential.Target{})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x00\x1b") || credential.KindOf(err) == credential.Internal {
				t.Fatalf("error %q", err)
			}
			return
		}
		if c.id == "" || strings.ContainsFunc(c.id, func(r rune) bool { return r < ' ' || r > '~' }) || status/100 != 2 {
			t.Fatalf("status %d and %q became a client %q", status, body, c.id)
		}
	})
}

// offered is a UI that keeps what a person would be shown of a device sign-in.
type offered struct {
	source.UI
	t *testing.T
}

func (o offered) ShowCode(_ context.Context, where, complete, code string) error {
	for _, url := range []string{where, complete} {
		if url != "" && credential.CheckEndpoint(url, "verification_uri") != nil {
			o.t.Fatalf("shows the address %q", url)
		}
	}
	if code == "" || code != credential.Printable(code, maxUserCode) {
		o.t.Fatalf("shows the code %q", code)
	}
	return nil
}

// FuzzDeviceOffer: whatever a server offers, a person sees an address that may be opened and a printable code, and the polling has an
// end and a pace.
func FuzzDeviceOffer(f *testing.F) {
	for _, seed := range []string{`{"device_code":"d","user_code":"ABCD","verification_uri":"https://h/device","expires_in":600,"interval":5}`,
		`{"device_code":"d","user_code":"A\u001b[31m","verification_uri":"https://h/","verification_uri_complete":"javascript:x"}`,
		`{"device_code":"d","user_code":"\u202e","verification_uri":"file:///etc","interval":1e99}`, `{"error":"unauthorized_client"}`, `[]`,
		`{"device_code":"d","user_code":"x","verification_uri":"https://h/","expires_in":1e300,"interval":"-1"}`} {
		f.Add(200, seed)
		f.Add(400, seed)
	}
	now := time.Unix(1_700_000_000, 0)
	s := New(source.Config{Now: func() time.Time { return now }, Jitter: func() float64 { return 0 }})
	f.Fuzz(func(t *testing.T, status int, body string) {
		r := newReply(&http.Response{StatusCode: status}, []byte(body))
		r.sent = now
		p, err := s.show(context.Background(), r, offered{t: t})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x00\x1b") || credential.KindOf(err) == credential.Internal {
				t.Fatalf("error %q", err)
			}
			return
		}
		if p.deviceCode == "" || p.interval < pollLeast || !p.end.After(now) {
			t.Fatalf("%+v", p)
		}
	})
}

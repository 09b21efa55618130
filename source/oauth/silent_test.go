package oauth

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

var grant = credential.Grant{RefreshToken: credential.NewSecret("rt-1"), DataKey: credential.NewSecret("key")}

// silent refreshes and returns what was kept, in order.
func silent(t *testing.T, a *asker, target credential.Target) (credential.Answer, []string, error) {
	t.Helper()
	var kept []string
	answer, err := a.Silent(t.Context(), target, grant, "none", func(g credential.Grant) error {
		kept = append(kept, g.RefreshToken.Reveal())
		if g.DataKey.Reveal() != "key" {
			t.Error("the data key was lost")
		}
		return nil
	})
	return answer, kept, err
}

func TestSilent(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	start := a.now
	s.token = func(w http.ResponseWriter, _ url.Values, _ int) {
		a.now = start.Add(7 * time.Second) // the answer takes its time
		_, _ = io.WriteString(w, `{"access_token":"at-1","token_type":"bearer","expires_in":"3600","refresh_token":"rt-2","refresh_expires_in":86400,
			"scope":"read","id_token":"x.`+"eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJtZVx1MDAxYiJ9"+`.y"}`)
	}
	got, kept, err := silent(t, a, s.target())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "kept", kept, []string{"rt-2"})
	equal(t, "scopes", got.Token.Scopes, []string{"read"})
	token := got.Token
	if token.Access.Reveal() != "at-1" || token.Type != "Bearer" || !token.Obtained.Equal(start) || !token.Expiry.Equal(start.Add(time.Hour)) ||
		!token.RefreshAt.Equal(start.Add(48*time.Minute)) || token.Issuer != s.url || token.Resource != "https://mcp.example/mcp/" || token.Account != "me?" {
		t.Errorf("token %+v", token)
	}
	if got.User != "me?" || !got.RefreshExpires.Equal(start.Add(24*time.Hour)) || got.Grant.RefreshToken.Reveal() != "rt-2" || got.ClientID != "client" {
		t.Errorf("answer %+v", got)
	}
	want := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt-1"}, "client_id": {"client"}, "resource": {"https://mcp.example/mcp/"}}
	if s.count() != 1 || s.requests[0].Encode() != want.Encode() {
		t.Errorf("requests %v", s.requests)
	}
}

// What a token was approved for is asked for again with every refresh, byte by byte, its query with it.
func TestResourceHermesAgent110720(t *testing.T) {
	for _, resource := range []string{"https://mcp.example/mcp", "https://mcp.example/mcp?team=1&x=%2F"} {
		s, a := newServer(t), newAsker(t)
		target := s.target()
		target.Resource = resource
		if _, _, err := silent(t, a, target); err != nil {
			t.Fatal(err)
		}
		if got := s.requests[0]["resource"]; len(got) != 1 || got[0] != resource {
			t.Errorf("%s: asked for %q", resource, got)
		}
	}
}

func TestSilentWithoutRotation(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	s.answer(200, `{"access_token":"at-1","expires_in":0}`)
	got, kept, err := silent(t, a, s.target())
	if err != nil || !got.Token.Expiry.IsZero() || !got.Token.RefreshAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	equal(t, "kept", kept, []string{"rt-1"})
	equal(t, "scopes", got.Token.Scopes, []string{"read", "write"})
}

// TestKeepComesBeforeJudgement: whatever is wrong with the rest, a rotated refresh token is kept.
func TestKeepComesBeforeJudgement(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		kind credential.Kind
	}{
		"no access token":       {`{"refresh_token":"rt-2"}`, credential.BadAnswer},
		"control characters":    {`{"refresh_token":"rt-2","access_token":"a\nb","token_type":"Bearer"}`, credential.BadAnswer},
		"DPoP":                  {`{"refresh_token":"rt-2","access_token":"at-1","token_type":"DPoP"}`, credential.BadAnswer},
		"N_A":                   {`{"refresh_token":"rt-2","access_token":"at-1","token_type":"N_A"}`, credential.BadAnswer},
		"expires_in in words":   {`{"refresh_token":"rt-2","access_token":"at-1","expires_in":"soon"}`, credential.BadAnswer},
		"expires_in negative":   {`{"refresh_token":"rt-2","access_token":"at-1","expires_in":-1}`, credential.BadAnswer},
		"access token a number": {`{"refresh_token":"rt-2","access_token":7}`, credential.BadAnswer},
	} {
		s, a := newServer(t), newAsker(t)
		s.answer(200, test.body)
		_, kept, err := silent(t, a, s.target())
		t.Log(name, err)
		check(t, err, test.kind)
		equal(t, name, kept, []string{"rt-2"})
		if s.count() != 1 {
			t.Errorf("%s: %d requests", name, s.count())
		}
	}
}

func TestFailureToKeepIsReportedWithTheToken(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	full := errors.New("disk full")
	got, err := a.Silent(t.Context(), s.target(), grant, "", func(credential.Grant) error { return full })
	if !errors.Is(err, full) || got.Token.Access.Reveal() != "at-1" {
		t.Errorf("%+v, %v", got, err)
	}
	s.answer(200, `{"refresh_token":"rt-2"}`)
	_, err = a.Silent(t.Context(), s.target(), grant, "", func(credential.Grant) error { return full })
	if !errors.Is(err, full) || credential.KindOf(err) != credential.BadAnswer {
		t.Errorf("both faults: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		kind   credential.Kind
		code   string
	}{
		"dead":                  {400, `{"error":"invalid_grant","error_description":"gone\u001b[31m: rt-1"}`, credential.SignInDead, "invalid_grant"},
		"dead, GitHub":          {200, `{"error":"bad_refresh_token"}`, credential.SignInDead, "bad_refresh_token"},
		"client of GitHub":      {200, `{"error":"incorrect_client_credentials"}`, credential.Misconfigured, "incorrect_client_credentials"},
		"client of Slack":       {200, `{"ok":false,"error":"invalid_client_id"}`, credential.Misconfigured, "invalid_client_id"},
		"redirect URI":          {200, `{"error":"redirect_uri_mismatch"}`, credential.Misconfigured, "redirect_uri_mismatch"},
		"client":                {401, `{"error":"invalid_client"}`, credential.Misconfigured, "invalid_client"},
		"unauthorized":          {400, `{"error":"unauthorized_client"}`, credential.Misconfigured, "unauthorized_client"},
		"scope":                 {400, `{"error":"invalid_scope"}`, credential.Misconfigured, "invalid_scope"},
		"target":                {400, `{"error":"invalid_target"}`, credential.Misconfigured, "invalid_target"},
		"step up":               {400, `{"error":"interaction_required"}`, credential.StepUp, "interaction_required"},
		"log in":                {400, `{"error":"login_required"}`, credential.StepUp, "login_required"},
		"consent":               {400, `{"error":"consent_required"}`, credential.StepUp, "consent_required"},
		"unknown":               {400, `{"error":"strange"}`, credential.Refused, "strange"},
		"HTML":                  {403, `<html>rt-2 s3cret</html>`, credential.Refused, ""},
		"success that is HTML":  {200, `<html>rt-2 s3cret</html>`, credential.BadAnswer, ""},
		"success that is null":  {200, `null`, credential.BadAnswer, ""},
		"larger than the bound": {200, `{"access_token":"` + strings.Repeat("a", maxReply) + `"}`, credential.BadAnswer, ""},
		"redirect":              {302, ``, credential.Hostile, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newServer(t), newAsker(t)
			s.token = func(w http.ResponseWriter, _ url.Values, _ int) {
				w.Header().Set("Location", "https://evil.example/")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}
			_, kept, err := silent(t, a, s.target())
			t.Log(err)
			check(t, err, test.kind)
			var typed *credential.Error
			if errors.As(err, &typed) && typed.Code != test.code {
				t.Errorf("code %q", typed.Code)
			}
			if s.count() != 1 || len(kept) != 0 {
				t.Errorf("%d requests, kept %v", s.count(), kept)
			}
		})
	}
}

// TestFailuresOfTheServer counts requests: one, because a server that fails may have spent the refresh token first.
func TestFailuresOfTheServer(t *testing.T) {
	start := newAsker(t).now
	for name, test := range map[string]struct {
		status     int
		retryAfter string
		kind       credential.Kind
		wait       time.Duration
	}{
		"500":                  {500, "", credential.Network, 0},
		"503":                  {503, "", credential.Network, 0},
		"429":                  {429, "", credential.Throttled, 0},
		"429, wait":            {429, "30", credential.Throttled, 30 * time.Second},
		"503, wait":            {503, "2", credential.Throttled, 2 * time.Second},
		"503, wait for a date": {503, start.Add(time.Minute).Format(http.TimeFormat), credential.Throttled, time.Minute},
		"429, wait for ever":   {429, "99999999999", credential.Throttled, time.Hour},
		"429, wait for words":  {429, "soon", credential.Throttled, 0},
		"429, wait for past":   {429, start.Add(-time.Minute).Format(http.TimeFormat), credential.Throttled, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newServer(t), newAsker(t)
			s.token = func(w http.ResponseWriter, _ url.Values, _ int) {
				w.Header().Set("Retry-After", test.retryAfter)
				w.WriteHeader(test.status)
			}
			_, kept, err := silent(t, a, s.target())
			check(t, err, test.kind)
			var typed *credential.Error
			if errors.As(err, &typed) && typed.RetryAfter != test.wait {
				t.Errorf("wait %v", typed.RetryAfter)
			}
			if s.count() != 1 || len(a.pauses) != 0 || len(kept) != 0 {
				t.Errorf("%d requests, pauses %v, kept %v", s.count(), a.pauses, kept)
			}
		})
	}
}

// TestAmbiguousRequestsAreNotRepeated: a request that was sent and got no answer may have spent the refresh token.
func TestAmbiguousRequestsAreNotRepeated(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"reset": func(w http.ResponseWriter) { hijack(t, w).Close() },
		"broken off": func(w http.ResponseWriter) {
			c := hijack(t, w)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access_token\":")
			c.Close()
		},
		"not HTTP": func(w http.ResponseWriter) {
			c := hijack(t, w)
			_, _ = io.WriteString(c, "rt-1\r\n\r\n")
			c.Close()
		},
	} {
		s, a := newServer(t), newAsker(t)
		s.token = func(w http.ResponseWriter, _ url.Values, _ int) { answer(w) }
		_, kept, err := silent(t, a, s.target())
		t.Log(name, err)
		check(t, err, credential.Network)
		if s.count() != 1 || len(kept) != 0 {
			t.Errorf("%s: %v after %d requests, kept %v", name, err, s.count(), kept)
		}
	}
}

func hijack(t *testing.T, w http.ResponseWriter) net.Conn {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
	}
	return c
}

func TestSilentServerEndsWithTheContext(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	ctx, cancel := context.WithCancel(t.Context())
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			_, _ = c.Read(make([]byte, 1)) // the request has been sent
			cancel()
			<-t.Context().Done()
		}
	}()
	target := s.target()
	target.Endpoints.Token = "http://" + l.Addr().String() + "/token"
	_, err = a.Silent(ctx, target, grant, "", func(credential.Grant) error { return nil })
	check(t, err, credential.Network)
	if len(a.pauses) != 0 {
		t.Errorf("pauses %v", a.pauses)
	}
}

func TestDialFailuresAreTriedAgain(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	target := s.target()
	target.Endpoints.Token = "http://" + l.Addr().String() + "/token"
	_, _, err = silent(t, a, target)
	check(t, err, credential.Network)
	if len(a.pauses) != attempts-1 {
		t.Errorf("pauses %v", a.pauses)
	}
	var sum time.Duration
	for i, p := range a.pauses {
		sum += p
		if i > 0 && p != 2*a.pauses[i-1] {
			t.Errorf("pauses %v", a.pauses)
		}
	}
	if sum > credential.RefreshTotal/2 {
		t.Errorf("the pauses take %v", sum)
	}
}

func TestNoPauseBeyondTheDeadline(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	s.answer(503, "")
	ctx, cancel := context.WithTimeout(t.Context(), firstPause-time.Millisecond)
	defer cancel()
	_, err := a.Silent(ctx, s.target(), grant, "", func(credential.Grant) error { return nil })
	check(t, err, credential.Network)
	if s.count() != 1 || len(a.pauses) != 0 {
		t.Errorf("%d requests, pauses %v", s.count(), a.pauses)
	}
}

func TestNoRefreshToken(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	_, err := a.Silent(t.Context(), s.target(), credential.Grant{}, "", nil)
	check(t, err, credential.NoSignIn)
	if s.count() != 0 {
		t.Error("the server was asked")
	}
}

func TestRevoke(t *testing.T) {
	s, a := newServer(t), newAsker(t)
	if err := a.Revoke(t.Context(), s.target(), grant, "none"); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"token": {"rt-1"}, "token_type_hint": {"refresh_token"}, "client_id": {"client"}}
	if s.revoked.Encode() != want.Encode() {
		t.Errorf("revoked %v", s.revoked)
	}
	target := s.target()
	target.Endpoints.Revocation = ""
	if err := a.Revoke(t.Context(), target, grant, "none"); err != nil {
		t.Errorf("nowhere to revoke: %v", err)
	}
	target.Endpoints.Revocation = s.url + "/nowhere"
	check(t, a.Revoke(t.Context(), target, grant, "none"), credential.Refused)
}

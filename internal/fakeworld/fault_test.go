package fakeworld_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

func (a *agent) fault(f fakeworld.Fault) {
	a.w.Set(func(k *fakeworld.Behaviour) { k.Faults = []fakeworld.Fault{f} })
}

// tryRefresh sends a refresh that may stay without an answer.
func (a *agent) tryRefresh(ctx context.Context, token string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.w.Issuer()+"/token", strings.NewReader(a.refreshForm(token).Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := a.http.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

func TestFaultIsCountedDown(t *testing.T) {
	a := start(t, fakeworld.Options{})
	form := a.refreshForm(a.signIn().text("refresh_token"))
	f := fakeworld.Refuse(2, 503, "temporarily_unavailable")
	f.Grant, f.Header["Retry-After"] = "refresh_token", "7"
	a.fault(f)
	a.signIn()
	for range 2 {
		resp := a.post("/token", form, "", "")
		a.wantError(resp, 503, "temporarily_unavailable")
		if resp.header.Get("Retry-After") != "7" {
			t.Error("no Retry-After")
		}
	}
	if resp := a.post("/token", form, "", ""); resp.status != http.StatusOK {
		t.Errorf("the third got %d", resp.status)
	}
	if s := a.w.Stats(); s.Token["refresh_token"] != 1 || s.HTTP["POST /token"] != 5 {
		t.Errorf("stats say %+v", s)
	}
}

func TestResponseLost(t *testing.T) {
	for drop, reuse := range map[string]int{fakeworld.DropBefore: 0, fakeworld.DropAfter: 1} {
		t.Run(drop, func(t *testing.T) {
			a := start(t, fakeworld.Options{Rotate: true})
			token := a.signIn().text("refresh_token")
			a.fault(fakeworld.Fault{On: fakeworld.OnToken, Times: 1, Drop: drop})
			if err := a.tryRefresh(t.Context(), token); err == nil {
				t.Fatal("an answer")
			}
			_ = a.tryRefresh(t.Context(), token)
			if got := a.w.Stats().Reuse; got != reuse {
				t.Errorf("%d reuse, want %d", got, reuse)
			}
		})
	}
}

func TestDelayAndHang(t *testing.T) {
	a := start(t, fakeworld.Options{Rotate: true})
	token := a.signIn().text("refresh_token")
	for _, c := range []struct {
		fault     fakeworld.Fault
		processed int
	}{
		{fakeworld.Fault{Hang: true}, 0},
		{fakeworld.Fault{On: fakeworld.OnToken, Delay: fakeworld.Duration(time.Hour)}, 1},
	} {
		a.fault(c.fault)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := a.tryRefresh(ctx, token); err == nil {
			t.Error("an answer")
		}
		cancel()
		if got := a.w.Stats().Token["refresh_token"]; got != c.processed {
			t.Errorf("%d requests processed, want %d", got, c.processed)
		}
	}
	a.fault(fakeworld.Fault{Delay: fakeworld.Duration(time.Millisecond)})
	a.signIn()
}

func TestOtherFaults(t *testing.T) {
	a := start(t, fakeworld.Options{})
	wellKnown := a.w.Issuer() + "/.well-known/oauth-authorization-server"
	a.fault(fakeworld.Redirect(fakeworld.OnOAuthMetadata, "http://127.0.0.1:1/"))
	if resp := a.get(wellKnown); resp.status != http.StatusFound || resp.header.Get("Location") != "http://127.0.0.1:1/" {
		t.Errorf("got %d %v", resp.status, resp.header)
	}
	a.fault(fakeworld.Fault{On: fakeworld.OnOAuthMetadata, Status: 200, Body: "{}", Pad: 10 << 20})
	if resp := a.get(wellKnown); len(resp.body) != 10<<20 {
		t.Errorf("%d bytes", len(resp.body))
	}
	a.w.Set(func(k *fakeworld.Behaviour) {
		*k = fakeworld.Behaviour{Token: map[string]any{"access_token": "a\nb", "expires_in": nil}, Skew: fakeworld.Duration(time.Hour)}
	})
	resp := a.signIn()
	if resp.text("access_token") != "a\nb" || resp.doc["expires_in"] != nil {
		t.Errorf("got %s", resp.body)
	}
	if date, err := http.ParseTime(resp.header.Get("Date")); err != nil || time.Until(date) < 30*time.Minute {
		t.Errorf("the clock an hour ahead says %v %v", date, err)
	}
}

func (a *agent) control(body string) answer {
	a.t.Helper()
	return a.do(http.NewRequest(http.MethodPost, a.w.ControlURL()+"/_control", strings.NewReader(body)))
}

func TestControl(t *testing.T) {
	a := start(t, fakeworld.Options{})
	tokens := a.signIn()
	form := a.refreshForm(tokens.text("refresh_token"))
	if resp := a.control(`{"knobs":{"faults":[{"on":"token","status":500,"delay":"1ms","pad":9},{"on":"mcp","status":418}],"user":"bob"}}`); resp.status != http.StatusOK {
		t.Fatal(resp.body)
	}
	a.control(`{"knobs":{"faults":[{"on":"token","status":429}]}}`)
	if resp := a.post("/token", form, "", ""); resp.status != 429 || resp.body != "" {
		t.Errorf("a replaced fault got %d %q", resp.status, resp.body)
	}
	a.wantPing(tokens.text("access_token"), http.StatusOK)
	a.control(`{"knobs":{"faults":null}}`)
	second := a.signIn().text("access_token")
	if who := a.ping(a.w.ServerURL(), second); who.text("subject") != "bob" {
		t.Errorf("user was forgotten: %s", who.body)
	}
	a.control(`{"reset":true,"expire_access":true,"reset_stats":true}`)
	a.wantPing(second, http.StatusUnauthorized)
	a.control(`{"revoke_all":true}`)
	a.wantError(a.post("/token", form, "", ""), 400, "invalid_grant")
	for _, bad := range []string{`{"knob":{}}`, `{"knobs":{"usr":"x"}}`, `{"knobs":{"skew":"x"}}`, `x`} {
		if resp := a.control(bad); resp.status != http.StatusBadRequest {
			t.Errorf("%s got %d", bad, resp.status)
		}
	}
	if stats := a.get(a.w.ControlURL() + "/_stats").doc; stats["mcp"].(map[string]any)["expired"] != 1.0 {
		t.Errorf("stats say %v", stats)
	}
	if secrets := a.get(a.w.ControlURL() + "/_secrets").body; !strings.Contains(secrets, second+"\n") {
		t.Error("a secret is missing")
	}
}

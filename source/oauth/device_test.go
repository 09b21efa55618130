package oauth

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/source"
)

const goodDevice = `{"device_code":"dc","user_code":"AB-\u001bCD","verification_uri":"https://as.example/device","verification_uri_complete":"https://as.example/device?c=AB","expires_in":600,"interval":7}`

func TestDevice(t *testing.T) {
	s, a, p := newServer(t), newAsker(t), &person{t: t, way: source.Device}
	s.device = goodDevice
	s.token = func(w http.ResponseWriter, _ url.Values, n int) {
		answers := []string{"authorization_pending", "slow_down", "authorization_pending"}
		switch {
		case n <= len(answers):
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"error":"`+answers[n-1]+`"}`)
		case n == len(answers)+1:
			w.WriteHeader(503)
		default:
			_, _ = io.WriteString(w, goodToken)
		}
	}
	target := s.target()
	target.ClientID = ""
	got, err := a.Interactive(t.Context(), target, p)
	if err != nil || got.Grant.RefreshToken.Reveal() != "rt-2" || got.ClientID != "dynamic" {
		t.Fatalf("%+v, %v", got, err)
	}
	equal(t, "shown", p.code, []string{"https://as.example/device", "https://as.example/device?c=AB", "AB-?CD"})
	var paces []string
	for _, d := range a.pauses {
		paces = append(paces, d.String())
	}
	equal(t, "pauses", paces, []string{"7s", "7s", "12s", "12s", "24s"})
	form := s.requests[0]
	if form.Get("grant_type") != deviceGrant || form.Get("device_code") != "dc" || form.Get("resource") != target.Resource || form.Get("client_id") != "dynamic" {
		t.Errorf("poll %v", form)
	}
	if types, _ := s.registered["grant_types"].([]any); len(types) != 2 || types[0] != deviceGrant || s.registered["redirect_uris"] != nil {
		t.Errorf("registered %v", s.registered)
	}
}

func TestDeviceEnds(t *testing.T) {
	offer := func(old, new string) string { return strings.Replace(goodDevice, old, new, 1) }
	for name, test := range map[string]struct {
		device, token string
		kind          credential.Kind
	}{
		"denied":           {goodDevice, `{"error":"access_denied"}`, credential.Refused},
		"expired":          {goodDevice, `{"error":"expired_token"}`, credential.NoSignIn},
		"never answered":   {goodDevice, `{"error":"authorization_pending"}`, credential.NoSignIn},
		"wrong code":       {goodDevice, `{"error":"invalid_grant"}`, credential.Refused},
		"javascript URL":   {offer("https://as.example/device\"", "javascript:x\""), "", credential.Hostile},
		"file URL":         {offer("https://as.example/device?c=AB", "file:///x"), "", credential.Hostile},
		"no code":          {offer("device_code", "x"), "", credential.Misconfigured},
		"refused at once":  {`{"error":"unauthorized_client"}`, "", credential.Misconfigured},
		"nothing readable": {`<html>`, "", credential.Hostile},
	} {
		s, a, p := newServer(t), newAsker(t), &person{t: t, way: source.Device}
		s.device = test.device
		s.answer(400, test.token)
		_, err := a.Interactive(t.Context(), s.target(), p)
		t.Log(name, err, len(a.pauses))
		check(t, err, test.kind)
		if len(a.pauses) > 600/7 {
			t.Errorf("%s: %d pauses", name, len(a.pauses))
		}
	}
}

func TestDeviceGivesUpWithTheContext(t *testing.T) {
	s, a, p := newServer(t), newAsker(t), &person{t: t, way: source.Device}
	s.device = goodDevice
	ctx, cancel := context.WithCancel(t.Context())
	s.token = func(w http.ResponseWriter, _ url.Values, _ int) {
		cancel()
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"authorization_pending"}`)
	}
	_, err := a.Interactive(ctx, s.target(), p)
	check(t, err, credential.NoSignIn)
	if s.count() != 1 {
		t.Errorf("%d polls", s.count())
	}
}

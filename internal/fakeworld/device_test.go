package fakeworld_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

func (a *agent) device() (answer, url.Values) {
	a.t.Helper()
	form := url.Values{"client_id": {fakeworld.PublicClient}, "resource": {a.w.ServerURL()}, "scope": {"mcp:read"}}
	resp := a.post("/device_authorization", form, "", "")
	if resp.status != http.StatusOK {
		a.t.Fatalf("device authorization answered %d %s", resp.status, resp.body)
	}
	return resp, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {fakeworld.PublicClient},
		"resource": {a.w.ServerURL()}, "device_code": {resp.text("device_code")}}
}

// later moves the server's clock, so that no test has to wait for an interval.
func (a *agent) later(d time.Duration) {
	a.w.Set(func(k *fakeworld.Behaviour) { k.Skew += fakeworld.Duration(d) })
}

func TestDeviceFlow(t *testing.T) {
	a := start(t, fakeworld.Options{})
	resp, poll := a.device()
	a.wantError(a.post("/token", poll, "", ""), 400, "authorization_pending")
	a.wantError(a.post("/token", poll, "", ""), 400, "slow_down")
	a.later(2 * time.Second)
	a.wantError(a.post("/token", poll, "", ""), 400, "slow_down")
	page, err := fakeworld.Visit(context.Background(), resp.text("verification_uri_complete"))
	if err != nil || page.Status != http.StatusOK {
		t.Fatal(err, page)
	}
	a.later(12 * time.Second)
	a.wantError(a.post("/token", with(poll, "resource", ""), "", ""), 400, "invalid_target")
	a.later(12 * time.Second)
	tokens := a.post("/token", poll, "", "")
	a.wantPing(tokens.text("access_token"), http.StatusOK)
	if tokens.text("refresh_token") == "" {
		t.Errorf("no refresh token: %s", tokens.body)
	}
	a.wantError(a.post("/token", poll, "", ""), 400, "invalid_grant")
}

func TestDeviceEndings(t *testing.T) {
	a := start(t, fakeworld.Options{})
	_, denied := a.device()
	a.w.Set(func(k *fakeworld.Behaviour) { k.Device = "deny" })
	a.wantError(a.post("/token", denied, "", ""), 400, "access_denied")

	_, approved := a.device()
	a.w.Set(func(k *fakeworld.Behaviour) { k.Device = "approve" })
	if resp := a.post("/token", approved, "", ""); resp.status != http.StatusOK {
		t.Errorf("approve got %s", resp.body)
	}
	_, byCall := a.device()
	a.w.Set(func(k *fakeworld.Behaviour) { k.Device = "" })
	a.w.ApproveDevices()
	if resp := a.post("/token", byCall, "", ""); resp.status != http.StatusOK {
		t.Errorf("ApproveDevices got %s", resp.body)
	}
	_, late := a.device()
	a.later(time.Hour)
	a.wantError(a.post("/token", late, "", ""), 400, "expired_token")
	a.wantError(a.post("/device_authorization", url.Values{"client_id": {fakeworld.PublicClient}}, "", ""), 400, "invalid_target")
	a.wantError(a.post("/device_authorization", url.Values{"client_id": {"nobody"}}, "", ""), 401, "invalid_client")
}

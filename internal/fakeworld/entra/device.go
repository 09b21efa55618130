package entra

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// The grant types that the token endpoint knows.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"

	grantDeviceShort = "device_code" // as MSAL for Go writes it
)

type device struct {
	client   string
	asked    asked
	mfa      bool
	expiry   time.Time
	interval time.Duration
	polled   time.Time
	approved bool
}

func (w *World) deviceCode(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = r.ParseForm()
	client := r.PostForm.Get("client_id")
	got, ref := w.judgeScope(r.PostForm.Get("scope"), r.PostForm.Get("resource"))
	switch {
	case !tenant(r):
		ref = refuse(90002)
	case client != Client && client != Other:
		ref = refuse(700016)
	case ref == nil && got.app == nil:
		ref = refuse(900144)
	}
	if ref != nil {
		ref.write(rw, w.now())
		return
	}
	value := w.tokenStore.secret("dc_", 0)
	w.tokenStore.devices[value] = &device{client: client, asked: got, mfa: len(accessClaims(r.PostForm.Get("claims"))) > 0,
		expiry: w.now().Add(15 * time.Minute), interval: w.opt.DeviceInterval}
	user := rand.Text()[:9]
	fakeworld.WriteJSON(rw, http.StatusOK, map[string]any{"device_code": value, "user_code": user, "verification_uri": "https://microsoft.com/devicelogin",
		"expires_in": 900, "interval": int(w.opt.DeviceInterval / time.Second), "message": "To sign in, open the page and enter the code " + user + "."})
}

// redeemDevice answers a poll. One that comes too early makes the interval longer (RFC 8628 section 3.5).
func (w *World) redeemDevice(form url.Values) (issue, *refusal) {
	d := w.tokenStore.devices[form.Get("device_code")]
	if d == nil || d.client != form.Get("client_id") {
		return issue{}, refuse(9002313)
	}
	early := !d.polled.IsZero() && w.now().Before(d.polled.Add(d.interval-50*time.Millisecond))
	d.polled = w.now()
	switch {
	case w.now().After(d.expiry):
		return issue{}, pending("expired_token", "The code has expired.")
	case early:
		d.interval += 5 * time.Second
		return issue{}, pending("slow_down", "Polled too soon.")
	case w.knobs.Device == "deny":
		return issue{}, pending("authorization_declined", "The person said no.")
	case !d.approved && w.knobs.Device != "approve":
		return issue{}, pending("authorization_pending", "Nobody has entered the code yet.")
	}
	delete(w.tokenStore.devices, form.Get("device_code"))
	return issue{session: &session{client: d.client, user: w.user(""), mfa: d.mfa, first: d.asked.app}, asked: d.asked}, nil
}

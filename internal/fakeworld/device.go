package fakeworld

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// device is a device authorization (RFC 8628).
type device struct {
	client   *Client
	userCode string
	scopes   []string
	resource string
	subject  string
	expiry   time.Time
	interval time.Duration
	polled   time.Time
	state    deviceState
}

type deviceState int

const (
	deviceWaits deviceState = iota
	deviceApproved
	deviceDenied
	deviceDone
)

// pollSlack forgives what schedulers and clocks do to a client that waits exactly the interval.
const pollSlack = 50 * time.Millisecond

func (w *World) deviceAuthorization(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	form, oe := readForm(r)
	var d *device
	if oe == nil {
		d, oe = w.newDevice(r, form)
	}
	if oe != nil {
		oe.write(rw)
		return
	}
	value := w.tokenStore.secret("dc_")
	w.tokenStore.devices[value] = d
	WriteJSON(rw, http.StatusOK, map[string]any{
		"device_code": value, "user_code": d.userCode,
		"verification_uri":          w.issuer + "/device",
		"verification_uri_complete": w.issuer + "/device?user_code=" + d.userCode,
		"expires_in":                int(w.opt.DeviceTTL / time.Second),
		"interval":                  int(w.opt.DeviceInterval / time.Second),
	})
}

func (w *World) newDevice(r *http.Request, form url.Values) (*device, *oauthError) {
	c, _, oe := w.authenticate(r, form)
	if oe != nil {
		return nil, oe
	}
	if !c.has(grantDevice) {
		return nil, refuse("unauthorized_client", "the client may not use this grant type")
	}
	if oe := w.checkResource(form, ""); oe != nil {
		return nil, oe
	}
	scopes, oe := checkScope(form, w.opt.Scopes, w.defaultScopes())
	if oe != nil {
		return nil, oe
	}
	user := rand.Text()
	return &device{client: c, userCode: user[:4] + "-" + user[4:8], scopes: scopes, resource: form.Get("resource"),
		subject: w.user(form), expiry: w.now().Add(w.opt.DeviceTTL), interval: w.opt.DeviceInterval}, nil
}

// devicePage is where a person types the user code and presses the button.
func (w *World) devicePage(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Method != http.MethodPost {
		page(rw, w.issuer+"/device", "user_code", r.FormValue("user_code"))
		return
	}
	for _, d := range w.tokenStore.devices {
		if d.state == deviceWaits && strings.EqualFold(d.userCode, r.PostFormValue("user_code")) {
			d.state = deviceApproved
			_, _ = rw.Write([]byte("Approved.\n"))
			return
		}
	}
	http.Error(rw, "Unknown code.", http.StatusBadRequest)
}

// redeemDevice answers a poll. One that comes before the interval is over makes the interval five seconds longer
// (RFC 8628 section 3.5).
func (w *World) redeemDevice(c *Client, form url.Values) (map[string]any, *oauthError) {
	d := w.tokenStore.devices[form.Get("device_code")]
	if d == nil || d.client != c || d.state == deviceDone {
		return nil, refuse("invalid_grant", "the device code is unknown")
	}
	now := w.now()
	early := !d.polled.IsZero() && now.Before(d.polled.Add(d.interval-pollSlack))
	d.polled = now
	switch {
	case now.After(d.expiry):
		return nil, refuse("expired_token", "the device code is too old")
	case early:
		d.interval += 5 * time.Second
		return nil, refuse("slow_down", "polled too soon")
	case d.state == deviceDenied || w.knobs.Device == "deny":
		d.state = deviceDenied
		return nil, refuse("access_denied", "the person said no")
	case d.state == deviceWaits && w.knobs.Device != "approve":
		return nil, refuse("authorization_pending", "nobody has approved yet")
	}
	if oe := w.checkResource(form, d.resource); oe != nil {
		return nil, oe
	}
	d.state = deviceDone
	g := w.newGrant(c, d.subject, d.resource, d.scopes)
	return w.tokens(g, d.scopes, w.wantsRefresh(g)), nil
}

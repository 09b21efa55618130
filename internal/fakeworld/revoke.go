package fakeworld

import "net/http"

// revokeToken serves the revocation endpoint (RFC 7009): a refresh token takes its grant with it, an access token goes
// alone, and a token that is unknown or another client's is no error.
func (w *World) revokeToken(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	form, oe := readForm(r)
	var c *Client
	if oe == nil {
		c, _, oe = w.authenticate(r, form)
	}
	if oe == nil && form.Get("token") == "" {
		oe = refuse("invalid_request", "token is missing")
	}
	if oe != nil {
		oe.write(rw)
		return
	}
	value := form.Get("token")
	if rt := w.tokenStore.refresh[value]; rt != nil && rt.grant.client == c {
		w.stats.Revocations++
		w.revoke(rt.grant)
	}
	if a := w.tokenStore.access[value]; a != nil && a.grant.client == c {
		w.stats.Revocations++
		a.ended = true
	}
	rw.WriteHeader(http.StatusOK)
}

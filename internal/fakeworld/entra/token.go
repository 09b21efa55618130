package entra

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// issue is a decision to hand out tokens.
type issue struct {
	session *session
	asked   asked
}

func (w *World) token(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := r.ParseForm()
	form := r.PostForm
	var got issue
	ref := w.judgeRequest(r, form, err)
	if ref == nil {
		got, ref = w.redeem(form)
	}
	booked := fakeworld.TokenRequest{Grant: form.Get("grant_type"), ClientID: form.Get("client_id"), AuthMethod: "none"}
	if ref != nil {
		booked.Error = fmt.Sprintf("AADSTS%d", ref.code)
	}
	for _, secret := range w.stats.Count(booked, form) {
		w.tokenStore.secrets[secret] = true
	}
	if ref != nil {
		ref.write(rw, w.now())
		return
	}
	fakeworld.WriteJSON(rw, http.StatusOK, fakeworld.Override(w.answer(got, form), w.knobs.Token))
}

func (w *World) judgeRequest(r *http.Request, form url.Values, err error) *refusal {
	if want := w.wanted(form.Get("grant_type"), form.Get("scope")); want != nil {
		return forced(*want)
	}
	for _, values := range form {
		if len(values) > 1 {
			return refuse(90023)
		}
	}
	switch {
	case err != nil || r.URL.RawQuery != "" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		return refuse(90023)
	case !tenant(r):
		return refuse(90002)
	case form.Get("client_id") != Client && form.Get("client_id") != Other && form.Get("client_id") != Service:
		return refuse(700016)
	}
	return w.proves(form)
}

func (w *World) redeem(form url.Values) (issue, *refusal) {
	switch form.Get("grant_type") {
	case grantCode:
		return w.redeemCode(form)
	case grantRefresh:
		return w.redeemRefresh(form)
	case grantDevice, grantDeviceShort:
		return w.redeemDevice(form)
	case grantMachine:
		return w.redeemMachine(form)
	}
	return issue{}, &refusal{oauth: "unsupported_grant_type", code: 70003, text: "The app returned an unsupported grant type."}
}

func (w *World) redeemCode(form url.Values) (issue, *refusal) {
	c := w.tokenStore.codes[form.Get("code")]
	if c == nil || c.client != form.Get("client_id") {
		return issue{}, refuse(9002313)
	}
	if c.spent {
		w.stats.Reuse++
		return issue{}, refuse(54005)
	}
	c.spent = true
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case w.now().After(c.expiry):
		return issue{}, refuse(9002313)
	case form.Get("redirect_uri") != c.redirect:
		return issue{}, refuse(50011)
	case base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge:
		return issue{}, refuse(501481)
	}
	got, ref := w.judgeScope(form.Get("scope"), form.Get("resource"))
	if ref == nil && got.app == nil {
		ref = refuse(28003)
	}
	return issue{session: &session{client: c.client, user: c.user, mfa: c.mfa, first: got.app}, asked: got}, ref
}

// redeemRefresh takes every refresh token of the tenant's for every app, and leaves old ones good.
func (w *World) redeemRefresh(form url.Values) (issue, *refusal) {
	rt := w.tokenStore.refresh[form.Get("refresh_token")]
	switch {
	case rt == nil || rt.session.client != form.Get("client_id"):
		return issue{}, refuse(9002313)
	case rt.revoked:
		return issue{}, refuse(50173)
	case w.now().After(rt.used.Add(w.opt.RefreshTTL)):
		return issue{}, refuse(700082)
	}
	got, ref := w.judgeScope(form.Get("scope"), form.Get("resource"))
	switch {
	case ref != nil:
	case got.app == nil && rt.session.first.id == rt.session.client:
		ref = refuse(90009)
	case got.app == nil:
		ref = refuse(900144)
	case got.app.id == rt.session.client:
		ref = refuse(90009)
	case w.knobs.MFA && !rt.session.mfa:
		ref = refuse(50076)
	}
	if ref == nil {
		rt.used = w.now()
	}
	return issue{session: rt.session, asked: got}, ref
}

// answer builds a token response as the v2.0 endpoint does: .default is not in the echoed scope.
func (w *World) answer(got issue, form url.Values) map[string]any {
	life := int(w.opt.AccessTTL / time.Second)
	doc := map[string]any{"token_type": "Bearer", "scope": strings.Join(got.asked.echo, " "), "expires_in": life, "ext_expires_in": life,
		"access_token": w.accessToken(got, accessClaims(form.Get("claims")))}
	if w.opt.RefreshIn > 0 {
		doc["refresh_in"] = int(w.opt.RefreshIn / time.Second)
	}
	if form.Get("grant_type") == grantMachine {
		delete(doc, "scope")
		return doc
	}
	scopes := strings.Fields(form.Get("scope"))
	if contains(scopes, "offline_access") {
		value := w.tokenStore.secret("1.rt_", w.opt.RefreshSize)
		w.tokenStore.refresh[value] = &refreshToken{session: got.session, used: w.now()}
		doc["refresh_token"] = value
	}
	if contains(scopes, "openid") {
		doc["id_token"] = w.idToken(got.session)
	}
	if form.Get("client_info") == "1" {
		doc["client_info"] = part(map[string]any{"uid": oid(got.session.user), "utid": Tenant})
	}
	return doc
}

func (w *World) accessToken(got issue, claims map[string]any) string {
	body := fakeworld.Override(map[string]any{"aud": got.asked.app.uri, "iss": Issuer, "tid": Tenant, "oid": oid(got.session.user), "uti": uuid(),
		"exp": w.now().Add(w.opt.AccessTTL).Unix()}, w.knobs.AccessBody)
	value := part(map[string]any{"typ": "JWT", "alg": "RS256"}) + "." + part(body) + "." + uuid()
	w.tokenStore.secrets[value] = true
	w.tokenStore.access[value] = &accessToken{session: got.session, app: got.asked.app, scopes: got.asked.scopes, claims: claims,
		expiry: w.now().Add(w.opt.AccessTTL), serial: len(w.tokenStore.access) + 1}
	return value
}

// idToken is not signed: no client may trust it for more than a name.
func (w *World) idToken(s *session) string {
	return part(map[string]any{"typ": "JWT", "alg": "RS256"}) + "." + part(map[string]any{"aud": s.client, "iss": Issuer, "tid": Tenant,
		"oid": oid(s.user), "sub": oid(s.user + s.client), "preferred_username": s.user, "iat": w.now().Unix(), "exp": w.now().Add(time.Hour).Unix()}) + ".unsigned"
}

// oid is the object id of a person: the same for the same name.
func oid(user string) string {
	sum := sha256.Sum256([]byte(user))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// accessClaims are the claims for the access token that a claims parameter asks for, without the capabilities.
func accessClaims(param string) map[string]any {
	var all struct {
		Access map[string]any `json:"access_token"`
	}
	_ = json.Unmarshal([]byte(param), &all)
	delete(all.Access, "xms_cc")
	return all.Access
}

func part(doc map[string]any) string {
	data, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Sprintf("fakeworld/entra: %v", err))
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

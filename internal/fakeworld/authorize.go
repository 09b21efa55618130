package fakeworld

import (
	"crypto/rand"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// authorization is an authorization request that was found good.
type authorization struct {
	client    *Client
	redirect  string
	state     string
	challenge string
	nonce     string
	scopes    []string
	resource  string
	key       string // dpop_jkt
	subject   string
	online    bool
	aimless   bool
}

type code struct {
	authorization
	expiry time.Time
	grant  *grant // what it was redeemed for; nil before that
	spent  bool
}

// authorize serves the authorization endpoint: whoever comes here approves, at once or, with Behaviour.Ask, by a button.
func (w *World) authorize(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := r.URL.Query()
	w.stats.AuthorizeRequests = append(w.stats.AuthorizeRequests, q)
	a := &authorization{client: w.client(q.Get("client_id")), redirect: q.Get("redirect_uri"), state: q.Get("state"),
		challenge: q.Get("code_challenge"), nonce: q.Get("nonce"), key: q.Get("dpop_jkt"), resource: q.Get("resource"), subject: w.user(q)}
	a.online, a.aimless = lacks(q, w.opt.OfflineParam), lacks(q, w.opt.NeedParam)
	if r.Method != http.MethodGet || a.client == nil || !a.client.allowsRedirect(a.redirect, w.opt.ExactPorts) {
		http.Error(rw, "Unknown client or redirect URI.", http.StatusBadRequest)
		return
	}
	if oe := w.checkAuthorization(a, q); oe != nil {
		w.sendBack(rw, a, map[string]any{"error": oe.code, "error_description": oe.text})
		return
	}
	if w.knobs.Ask {
		id := rand.Text()
		w.tokenStore.pending[id] = a
		page(rw, w.issuer+"/approve", "id", id)
		return
	}
	w.sendCode(rw, a)
}

// lacks reports whether q is without param, name=value; an empty one is not looked for.
func lacks(q url.Values, param string) bool {
	name, value, set := strings.Cut(param, "=")
	return set && q.Get(name) != value
}

func (w *World) user(q url.Values) string {
	if hint := q.Get("login_hint"); hint != "" {
		return hint
	}
	if w.knobs.User != "" {
		return w.knobs.User
	}
	return "alice"
}

func (w *World) checkAuthorization(a *authorization, q url.Values) *oauthError {
	if oe := unrepeated(q); oe != nil {
		return oe
	}
	if w.knobs.Deny != "" {
		return refuse(w.knobs.Deny, "as the test wishes")
	}
	switch {
	case !a.client.has(grantCode):
		return refuse("unauthorized_client", "the client may not use this grant type")
	case q.Get("response_type") != "code":
		return refuse("unsupported_response_type", "response_type must be code")
	case q.Get("code_challenge_method") != "S256" || len(a.challenge) != 43:
		return refuse("invalid_request", "PKCE with S256 is required")
	case a.state == "":
		return refuse("invalid_request", "state is required")
	}
	if oe := w.checkResource(q, ""); oe != nil {
		return oe
	}
	var oe *oauthError
	a.scopes, oe = checkScope(q, w.opt.Scopes, w.defaultScopes())
	return oe
}

// approve serves the button of the page that authorize shows with Behaviour.Ask.
func (w *World) approve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := r.PostFormValue("id")
	a := w.tokenStore.pending[id]
	if r.Method != http.MethodPost || a == nil {
		http.Error(rw, "There is nothing to approve.", http.StatusBadRequest)
		return
	}
	delete(w.tokenStore.pending, id)
	w.sendCode(rw, a)
}

func (w *World) sendCode(rw http.ResponseWriter, a *authorization) {
	value := w.tokenStore.secret("co_")
	w.tokenStore.codes[value] = &code{authorization: *a, expiry: w.now().Add(w.opt.CodeTTL)}
	w.stats.Authorizations++
	w.sendBack(rw, a, map[string]any{"code": value})
}

// sendBack redirects to the client with params, its state, and the issuer (RFC 9207).
func (w *World) sendBack(rw http.ResponseWriter, a *authorization, params map[string]any) {
	if !w.opt.NoIss {
		params["iss"] = w.issuer
	}
	if a.state != "" {
		params["state"] = a.state
	}
	u, err := url.Parse(a.redirect)
	if err != nil {
		http.Error(rw, "Malformed redirect URI.", http.StatusBadRequest)
		return
	}
	q := u.Query()
	for k, v := range Override(params, w.knobs.Redirect) {
		q.Set(k, fmt.Sprint(v))
	}
	u.RawQuery = q.Encode()
	rw.Header().Set("Location", u.String())
	rw.WriteHeader(http.StatusFound)
}

var buttonPage = template.Must(template.New("button").Parse(`<!doctype html><title>Sign in</title>
<form method="post" action="{{.Action}}"><input type="hidden" name="{{.Name}}" value="{{.Value}}"><button>Approve</button></form>
`))

// page shows a form with one hidden field and one button.
func page(rw http.ResponseWriter, action, name, value string) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = buttonPage.Execute(rw, map[string]string{"Action": action, "Name": name, "Value": value})
}

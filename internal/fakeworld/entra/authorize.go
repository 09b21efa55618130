package entra

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// routes are what the sign-in host serves.
func (w *World) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{tenant}/oauth2/v2.0/authorize", w.authorize)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/devicecode", w.deviceCode)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", w.token)
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", w.configuration)
	mux.HandleFunc("GET /common/discovery/instance", w.instance)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.count(r.Method + " " + r.URL.Path)
		mux.ServeHTTP(rw, r)
	})
}

// configuration is the OpenID document: without code_challenge_methods_supported, as the real one.
func (w *World) configuration(rw http.ResponseWriter, r *http.Request) {
	base := "https://" + Host + "/" + r.PathValue("tenant")
	fakeworld.WriteJSON(rw, http.StatusOK, map[string]any{
		"issuer": Issuer, "authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + "/oauth2/v2.0/token",
		"device_authorization_endpoint": base + "/oauth2/v2.0/devicecode", "response_modes_supported": []string{"query", "fragment", "form_post"},
	})
}

func (w *World) instance(rw http.ResponseWriter, _ *http.Request) {
	fakeworld.WriteJSON(rw, http.StatusOK, map[string]any{"tenant_discovery_endpoint": Issuer + "/.well-known/openid-configuration"})
}

type code struct {
	client, redirect, challenge, user string
	asked                             asked
	mfa                               bool
	expiry                            time.Time
	spent                             bool
}

// authorize lets whoever comes here sign in.
func (w *World) authorize(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := r.URL.Query()
	w.stats.AuthorizeRequests = append(w.stats.AuthorizeRequests, q)
	if ref := w.judgePage(r, q); ref != nil { // shown here, never sent to a redirect URI that is not the client's
		http.Error(rw, fmt.Sprintf("AADSTS%d: %s", ref.code, ref.text), http.StatusBadRequest)
		return
	}
	got, ref := w.judgeScope(q.Get("scope"), q.Get("resource"))
	switch {
	case ref != nil:
	case w.knobs.Deny != "":
		ref = &refusal{oauth: w.knobs.Deny, code: 65004, text: "User declined to consent to access the app."}
	case got.app == nil:
		ref = refuse(28003)
	}
	if ref != nil {
		doc := ref.document(w.now())
		w.sendBack(rw, r, q, url.Values{"error": {ref.oauth}, "error_description": {doc["error_description"].(string)}})
		return
	}
	value := w.tokenStore.secret("1.co_", 400)
	w.tokenStore.codes[value] = &code{client: q.Get("client_id"), redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"),
		user: w.user(q.Get("login_hint")), asked: got, mfa: len(accessClaims(q.Get("claims"))) > 0, expiry: w.now().Add(10 * time.Minute)}
	w.stats.Authorizations++
	w.sendBack(rw, r, q, url.Values{"code": {value}, "session_state": {uuid()}})
}

// judgePage checks what Entra shows as an error page of its own. PKCE is demanded although the real one only allows it.
func (w *World) judgePage(r *http.Request, q url.Values) *refusal {
	u, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case !tenant(r):
		return refuse(90002)
	case q.Get("client_id") != Client && q.Get("client_id") != Other:
		return refuse(700016)
	case err != nil || u.Scheme != "http" || u.Hostname() != "localhost" || u.Path != "" || u.RawQuery != "":
		return refuse(50011)
	case q.Get("response_type") != "code" || q.Get("state") == "" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43:
		return refuse(90023)
	}
	return nil
}

// tenant reports whether the path names the tenant, or leaves it to the person's account.
func tenant(r *http.Request) bool {
	switch r.PathValue("tenant") {
	case Tenant, Domain, "organizations", "common":
		return true
	}
	return false
}

func (w *World) user(hint string) string {
	for _, name := range []string{hint, w.knobs.User} {
		if name != "" {
			return name
		}
	}
	return Person
}

var postBack = template.Must(template.New("form").Parse(`<!doctype html><title>Working...</title><form method="post" action="{{.Action}}">
{{range $name, $values := .Values}}<input type="hidden" name="{{$name}}" value="{{index $values 0}}">{{end}}<noscript><button>Continue</button></noscript></form>
<script>document.forms[0].submit()</script>`))

func (w *World) sendBack(rw http.ResponseWriter, r *http.Request, q, values url.Values) {
	values.Set("state", q.Get("state"))
	if q.Get("response_mode") == "form_post" {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = postBack.Execute(rw, map[string]any{"Action": template.URL(q.Get("redirect_uri")), "Values": values})
		return
	}
	http.Redirect(rw, r, q.Get("redirect_uri")+"?"+values.Encode(), http.StatusFound)
}

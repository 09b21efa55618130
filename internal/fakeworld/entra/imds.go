package entra

import (
	"net/http"
	"strconv"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// IMDS serves the identity endpoint of a VM's metadata service, which refuses what came through a proxy and what does
// not say Metadata: true.
func (w *World) IMDS() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.URL.Path != "/metadata/identity/oauth2/token":
			http.NotFound(rw, r)
		case r.Method != http.MethodGet || r.Header.Get("Metadata") != "true" || r.Header.Get("X-Forwarded-For") != "":
			http.Error(rw, `{"error":"invalid_request","error_description":"Required metadata header not specified"}`, http.StatusBadRequest)
		case q.Get("api-version") != "2018-02-01":
			http.Error(rw, `{"error":"bad_request_102","error_description":"Required audience parameter not specified"}`, http.StatusBadRequest)
		default:
			w.assigned(rw, r, "IMDS", map[string]any{"expires_in": strconv.Itoa(int(w.opt.AccessTTL / time.Second))})
		}
	})
}

// AppService serves IDENTITY_ENDPOINT of an App Service whose IDENTITY_HEADER is secret.
func (w *World) AppService(secret string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("X-IDENTITY-HEADER") != secret || r.URL.Query().Get("api-version") != "2019-08-01" {
			http.Error(rw, `{"statusCode":401,"message":"The secret does not match."}`, http.StatusUnauthorized)
			return
		}
		w.assigned(rw, r, "AppService", nil)
	})
}

// assigned answers for the system-assigned identity, or for Assigned.
func (w *World) assigned(rw http.ResponseWriter, r *http.Request, name string, more map[string]any) {
	w.count(name)
	w.mu.Lock()
	defer w.mu.Unlock()
	q := r.URL.Query()
	client := q.Get("client_id")
	app := w.tokenStore.apps[q.Get("resource")]
	switch {
	case client != "" && client != Assigned:
		http.Error(rw, `{"error":"invalid_request","error_description":"Identity not found"}`, http.StatusBadRequest)
		return
	case app == nil:
		http.Error(rw, `{"error":"invalid_resource","error_description":"AADSTS500011: The resource principal was not found in the tenant."}`, http.StatusBadRequest)
		return
	case client == "":
		client = "system-assigned"
	}
	got := issue{session: &session{client: client, user: "machine " + client}, asked: asked{app: app, scopes: app.scopes}}
	expiry := w.now().Add(w.opt.AccessTTL).Unix()
	fakeworld.WriteJSON(rw, http.StatusOK, fakeworld.Override(map[string]any{"access_token": w.accessToken(got, nil), "resource": app.uri,
		"token_type": "Bearer", "client_id": client, "expires_on": strconv.FormatInt(expiry, 10)}, more))
}

package entra

import (
	"net/http"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// Pipelines serves SYSTEM_OIDCREQUESTURI for one service connection: POST with the bearer of the job, a version and the
// connection. A refused bearer is led to a sign-in page unless the request forbids that, as the real one does.
func (v *WorkloadIssuer) Pipelines(connection string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch q := r.URL.Query(); {
		case !v.shown(r) && r.Header.Get("X-TFS-FedAuthRedirect") != "Suppress":
			http.Redirect(rw, r, "https://spsprodcus1.vssps.visualstudio.com/_signin", http.StatusFound)
		case r.Header.Get("Authorization") != "Bearer "+v.Bearer:
			rw.WriteHeader(http.StatusUnauthorized)
		case r.Method != http.MethodPost:
			rw.WriteHeader(http.StatusMethodNotAllowed)
		case q.Get("api-version") != "7.1" || r.Header.Get("Content-Type") != "application/json":
			http.Error(rw, `{"$id":"1","message":"No api-version was supplied."}`, http.StatusBadRequest)
		case q.Get("serviceConnectionId") != connection:
			http.Error(rw, `{"$id":"1","message":"The service connection was not found."}`, http.StatusNotFound)
		default:
			fakeworld.WriteJSON(rw, http.StatusOK, map[string]any{"oidcToken": v.Token(ExchangeAudience)})
		}
	})
}

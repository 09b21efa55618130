package fakeworld

import (
	"net/http"
	"slices"
)

// authorizationRoutes are the endpoints of the authorization server. Well-known documents of an issuer with a path are
// at the path-inserted forms of RFC 8414 and OpenID Connect, and at the appended one of OpenID Connect.
func (w *World) authorizationRoutes() *http.ServeMux {
	const oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	path := w.opt.IssuerPath
	mux := http.NewServeMux()
	if !w.opt.OpenIDOnly {
		mux.HandleFunc(oauth+path, w.faulty(OnOAuthMetadata, w.serveMetadata))
	}
	mux.HandleFunc(openid+path, w.faulty(OnOpenIDMetadata, w.serveMetadata))
	if path != "" {
		mux.HandleFunc(path+openid, w.faulty(OnOpenIDMetadata, w.serveMetadata))
	}
	mux.HandleFunc(path+"/jwks", w.faulty(OnKeys, w.keys.serve))
	mux.HandleFunc(path+"/authorize", w.faulty(OnAuthorize, w.authorize))
	mux.HandleFunc(path+"/approve", w.faulty(OnAuthorize, w.approve))
	mux.HandleFunc(path+"/token", w.faulty(OnToken, w.token))
	mux.HandleFunc(path+"/register", w.faulty(OnRegister, w.register))
	mux.HandleFunc(path+"/device_authorization", w.faulty(OnDevice, w.deviceAuthorization))
	mux.HandleFunc(path+"/device", w.faulty(OnDevice, w.devicePage))
	mux.HandleFunc(path+"/revoke", w.faulty(OnRevoke, w.revokeToken))
	mux.HandleFunc("/", w.faulty("", http.NotFound))
	return mux
}

// metadata is the honest metadata document (RFC 8414 section 2, RFC 9207 section 3).
func (w *World) metadata() map[string]any {
	doc := map[string]any{
		"issuer":                                         w.issuer,
		"authorization_endpoint":                         w.issuer + "/authorize",
		"token_endpoint":                                 w.issuer + "/token",
		"device_authorization_endpoint":                  w.issuer + "/device_authorization",
		"revocation_endpoint":                            w.issuer + "/revoke",
		"registration_endpoint":                          w.issuer + "/register",
		"jwks_uri":                                       w.issuer + "/jwks",
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          grantTypes,
		"code_challenge_methods_supported":               []string{"S256"},
		"token_endpoint_auth_methods_supported":          authMethods,
		"revocation_endpoint_auth_methods_supported":     authMethods,
		"authorization_response_iss_parameter_supported": true,
		"scopes_supported":                               w.opt.Scopes,
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"ES256"},
	}
	if w.opt.ClientKey != nil {
		doc["token_endpoint_auth_methods_supported"] = append(slices.Clone(authMethods), authKey)
		doc["token_endpoint_auth_signing_alg_values_supported"] = []string{"ES256"}
	}
	if w.opt.WorkloadKey != nil {
		doc["grant_types_supported"] = append(slices.Clone(grantTypes), grantAssertion)
	}
	if w.opt.DPoP {
		doc["dpop_signing_alg_values_supported"] = []string{"ES256"}
	}
	if w.opt.NoRegistration {
		delete(doc, "registration_endpoint")
	}
	if w.opt.NoIss {
		delete(doc, "authorization_response_iss_parameter_supported")
	}
	if len(w.knobs.ClientDocuments) > 0 {
		doc["client_id_metadata_document_supported"] = true
	}
	return doc
}

func (w *World) serveMetadata(rw http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	doc := Override(w.metadata(), w.knobs.Metadata)
	w.mu.Unlock()
	WriteJSON(rw, http.StatusOK, doc)
}

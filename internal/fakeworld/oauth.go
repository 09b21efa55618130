package fakeworld

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// oauthError is an error answer of RFC 6749 section 5.2.
type oauthError struct {
	status int
	code   string
	text   string
}

func refuse(code, text string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, code: code, text: text}
}

func (e *oauthError) write(rw http.ResponseWriter) {
	if e.status == http.StatusUnauthorized {
		rw.Header().Set("WWW-Authenticate", `Basic realm="fakeworld"`)
	}
	WriteJSON(rw, e.status, map[string]any{"error": e.code, "error_description": e.text})
}

// WriteJSON writes an answer that no cache may keep (RFC 6749 section 5.1).
func WriteJSON(rw http.ResponseWriter, status int, doc any) {
	data, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Sprintf("fakeworld: %v", err))
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	_, _ = rw.Write(append(data, '\n'))
}

// readForm reads a form POST whose parameters must not repeat (RFC 6749 section 3.2). Parameters in the query are none
// of its business: they would be secrets in a URL, and are refused.
func readForm(r *http.Request) (url.Values, *oauthError) {
	if r.Method != http.MethodPost {
		return nil, &oauthError{http.StatusMethodNotAllowed, "invalid_request", "this endpoint takes POST"}
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return nil, refuse("invalid_request", "the body is not a form")
	}
	if r.URL.RawQuery != "" {
		return nil, refuse("invalid_request", "parameters in the URL")
	}
	if err := r.ParseForm(); err != nil {
		return nil, refuse("invalid_request", "the form is malformed")
	}
	return r.PostForm, unrepeated(r.PostForm)
}

func unrepeated(form url.Values) *oauthError {
	for name, values := range form {
		if len(values) > 1 {
			return refuse("invalid_request", "parameter "+name+" is repeated")
		}
	}
	return nil
}

// checkResource demands the resource indicator of one of the protected servers (RFC 8707), byte for byte; bound, where
// not empty, is the one that was asked for before.
func (w *World) checkResource(form url.Values, bound string) *oauthError {
	if w.opt.Vouches && !form.Has("resource") {
		return nil // tokens of an identity provider are for itself
	}
	got := form.Get("resource")
	switch {
	case got == "":
		return refuse("invalid_target", "resource is missing")
	case !slices.Contains(w.resources(), got):
		return refuse("invalid_target", "resource is not a protected resource of this server")
	case bound != "" && got != bound:
		return refuse("invalid_target", "resource is not the one that was granted")
	}
	return nil
}

// checkScope returns the scopes asked for, all of which must be in allowed, or otherwise where none are named.
func checkScope(form url.Values, allowed, otherwise []string) ([]string, *oauthError) {
	if !form.Has("scope") {
		return otherwise, nil
	}
	scopes := strings.Fields(form.Get("scope"))
	for _, s := range scopes {
		if !slices.Contains(allowed, s) {
			return nil, refuse("invalid_scope", "scope is unknown or was not granted")
		}
	}
	return scopes, nil
}

package oauth

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// deadCodes are the codes by which servers refuse a refresh token for good: RFC 6749 section 5.2, and the ones that
// GitHub and Slack document for theirs.
var deadCodes = map[string]bool{"invalid_grant": true, "bad_refresh_token": true, "invalid_refresh_token": true}

// misdirected is about a sign-in that GitHub and Slack send back before anybody has consented.
const misdirected = "the client is registered with another redirect URI; name that with --callback-port PORT, or as redirect_uri in config.toml"

// refusals says what an OAuth error code means to the person who has to do something (RFC 6749 sections 4.1.2.1 and
// 5.2, RFC 8707 section 2, OpenID Connect Core section 3.1.2.6), and the words that GitHub and Slack have for the same.
var refusals = map[string]struct {
	kind credential.Kind
	text string
}{
	"invalid_client":         {credential.Misconfigured, "the authorization server does not accept the client ID or client secret"},
	"unauthorized_client":    {credential.Misconfigured, "the authorization server does not let this client ID sign in this way"},
	"invalid_scope":          {credential.Misconfigured, "the authorization server does not accept the scopes"},
	"invalid_target":         {credential.Misconfigured, "the authorization server does not accept the resource"},
	"unsupported_grant_type": {credential.Misconfigured, "the authorization server does not support this way to get a token"},
	"invalid_redirect_uri":   {credential.Misconfigured, "the authorization server does not accept a redirect to 127.0.0.1"},
	"interaction_required":   {credential.StepUp, "the authorization server wants to ask the person something"},
	"login_required":         {credential.StepUp, "the authorization server wants the person to sign in again"},
	"consent_required":       {credential.StepUp, "the authorization server wants the person's consent"},
	"access_denied":          {credential.Refused, "access was denied at the authorization server"},
	dpop.ErrProof:            {credential.Refused, "the authorization server wants a proof of the sign-in's key, and one that is of now by its clock"},
	dpop.ErrNonce:            {credential.Refused, "the authorization server wants another nonce in the proof of the sign-in's key, again and again"},
	"invalid_grant":          {credential.Refused, "the authorization server refused the sign-in"},

	"incorrect_client_credentials": {credential.Misconfigured, "the authorization server does not accept the client ID or client secret"},
	"invalid_client_id":            {credential.Misconfigured, "the authorization server does not accept the client ID"},
	"bad_client_secret":            {credential.Misconfigured, "the authorization server does not accept the client secret"},
	"redirect_uri_mismatch":        {credential.Misconfigured, misdirected},
	"bad_redirect_uri":             {credential.Misconfigured, misdirected},
}

// refusal turns an answer that is no success into an error. The body is never in it; error_description is, made
// printable.
func (r reply) refusal(now time.Time) *credential.Error {
	wait, _ := webclient.RetryAfter(r.retryAfter, now)
	code := r.text("error")
	switch {
	case r.status == http.StatusTooManyRequests || r.status >= 500 && wait > 0:
		e := credential.Fail(credential.Throttled, "the authorization server asks to wait", nil)
		e.RetryAfter = wait
		return e
	case r.status >= 500:
		return credential.Fail(credential.Network, "the authorization server fails with status "+strconv.Itoa(r.status), nil)
	case r.status/100 == 3:
		return credential.Fail(credential.Hostile, "the authorization server redirects a request that carries credentials", nil)
	case code == "":
		return credential.Fail(credential.Refused, "the authorization server refused with status "+strconv.Itoa(r.status)+" and no reason", nil)
	}
	return describe(code, r.withoutSecrets(r.text("error_description")))
}

// withoutSecrets takes what was sent out of a text of the server: Spring's refusals quote the refresh token.
func (r reply) withoutSecrets(text string) string {
	for _, s := range r.secrets {
		text = strings.ReplaceAll(text, s, "...")
	}
	return text
}

// describe builds the error for an OAuth error code, from a token endpoint or a redirect.
func describe(code, description string) *credential.Error {
	code = credential.Printable(code, 60)
	e := credential.Fail(credential.Refused, "the authorization server refused with "+code, nil)
	if known, ok := refusals[code]; ok {
		e.Kind, e.Text = known.kind, known.text+" ("+code+")"
	}
	if d := strings.TrimRight(credential.Printable(description, 200), ". "); d != "" {
		e.Text += ": " + d
	}
	e.Code = code
	return e
}

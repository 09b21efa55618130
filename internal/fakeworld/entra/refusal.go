package entra

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// refusal is an error answer in Entra's shape: RFC 6749 section 5.2 with error_codes, suberror, claims, correlation_id
// and timestamp.
type refusal struct {
	status     int // 0: 400
	oauth      string
	code       int
	text       string
	sub        string
	claims     string
	retryAfter string
}

// demanded is a claims challenge in the form that Conditional Access sends.
const demanded = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`

// refusals are the ones that tests may wish for, with the OAuth words that Entra is known to send with them (Microsoft's
// "Microsoft Entra authentication and authorization error codes").
var refusals = map[int]refusal{
	9010010: {oauth: "invalid_target", text: "The resource parameter provided in the request doesn't match with the requested scopes."},
	901002:  {oauth: "invalid_request", text: "The 'resource' request parameter isn't supported."},
	90009:   {oauth: "invalid_resource", text: "Application is requesting a token for itself. This scenario is supported only if resource is specified using the GUID based App Identifier."},
	900144:  {oauth: "invalid_request", text: "The request body must contain the following parameter: 'scope'."},
	70011:   {oauth: "invalid_scope", text: ".default scope can't be combined with resource-specific scopes."},
	700022:  {oauth: "invalid_scope", text: "The provided value for the input parameter 'scope' contains more than one resource."},
	28000:   {oauth: "invalid_request", text: "Provided value for the input parameter scope isn't valid because it contains more than one resource."},
	28002:   {oauth: "invalid_request", text: "Provided value for the input parameter scope isn't valid when requesting an access token."},
	28003:   {oauth: "invalid_request", text: "Provided value for the input parameter scope can't be empty when requesting an access token using the provided authorization code."},
	650053:  {oauth: "invalid_client", text: "The application asked for a scope that doesn't exist on the resource."},
	500011:  {oauth: "invalid_resource", text: "The resource principal was not found in the tenant."},
	700082:  {oauth: "invalid_grant", text: "The refresh token has expired due to inactivity.", sub: "bad_token"},
	70043:   {oauth: "invalid_grant", text: "The refresh token has expired or is invalid due to sign-in frequency checks by Conditional Access.", sub: "bad_token"},
	50173:   {oauth: "invalid_grant", text: "The provided grant has expired due to it being revoked, a fresh auth token is needed.", sub: "bad_token"},
	50076:   {oauth: "interaction_required", text: "Due to a configuration change made by your administrator you must use multi-factor authentication.", sub: "basic_action", claims: demanded},
	50079:   {oauth: "interaction_required", text: "You must enroll in multi-factor authentication.", sub: "basic_action"},
	50074:   {oauth: "invalid_grant", text: "Strong authentication is required.", claims: demanded},
	50078:   {oauth: "interaction_required", text: "Presented multi-factor authentication has expired.", sub: "basic_action"},
	53000:   {oauth: "interaction_required", text: "Your device is required to be managed to access this resource.", sub: "message_only"},
	53001:   {oauth: "interaction_required", text: "Device is not in required device state.", sub: "message_only"},
	53002:   {oauth: "interaction_required", text: "The application used is not an approved application.", sub: "message_only"},
	53003:   {oauth: "interaction_required", text: "Access has been blocked by Conditional Access policies.", sub: "message_only", claims: `{"access_token":{"capolids":{"essential":true,"values":["aaaa"]}}}`},
	65001:   {oauth: "invalid_grant", text: "The user or administrator has not consented to use the application.", sub: "consent_required"},
	90094:   {oauth: "invalid_grant", text: "An administrator of the tenant must grant consent.", sub: "consent_required"},
	65002:   {oauth: "invalid_client", text: "Consent between first party application and first party resource must be configured via preauthorization."},
	700016:  {oauth: "unauthorized_client", text: "Application was not found in the directory."},
	7000112: {oauth: "unauthorized_client", text: "Application is disabled."},
	7000215: {status: 401, oauth: "invalid_client", text: "Invalid client secret provided."},
	7000218: {status: 401, oauth: "invalid_client", text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."},
	7000222: {status: 401, oauth: "invalid_client", text: "The provided client secret keys are expired."},
	700027:  {status: 401, oauth: "invalid_client", text: "Client assertion failed signature validation."},
	700213:  {oauth: "invalid_request", text: "No matching federated identity record found for presented assertion subject."},
	70021:   {oauth: "invalid_request", text: "No matching federated identity record found for presented assertion."},
	90002:   {oauth: "invalid_request", text: "Tenant not found."},
	90023:   {oauth: "invalid_request", text: "The request is malformed."},
	50011:   {oauth: "invalid_client", text: "The redirect URI specified in the request does not match the redirect URIs configured for the application."},
	54005:   {oauth: "invalid_grant", text: "OAuth2 authorization code was already redeemed."},
	9002313: {oauth: "invalid_grant", text: "Invalid request. Request is malformed or invalid."},
	501481:  {oauth: "invalid_grant", text: "The code verifier does not match the code challenge supplied in the authorization request."},
	50196:   {oauth: "invalid_grant", text: "The server terminated an operation because it encountered a client request loop."},
	50058:   {oauth: "interaction_required", text: "Session information is not sufficient for single-sign-on."},
	700019:  {oauth: "unauthorized_client", text: "The application can't be used or isn't authorized."},
}

func refuse(code int) *refusal {
	r, ok := refusals[code]
	if !ok {
		r = refusal{oauth: "invalid_grant", text: "Something that this world does not know."}
	}
	r.code = code
	return &r
}

// forced is a refusal that a test wants: codes below 1000 are HTTP statuses without a body of Entra's.
func forced(want Refuse) *refusal {
	r := refuse(want.Code)
	if want.Code < 1000 {
		r = &refusal{status: want.Code}
	}
	r.retryAfter = want.RetryAfter
	return r
}

func (r *refusal) write(rw http.ResponseWriter, now time.Time) {
	if r.retryAfter != "" {
		rw.Header().Set("Retry-After", r.retryAfter)
	}
	status := r.status
	status = cmp.Or(status, http.StatusBadRequest)
	if r.oauth == "" {
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte("<html>Service unavailable</html>"))
		return
	}
	fakeworld.WriteJSON(rw, status, r.document(now))
}

func (r *refusal) document(now time.Time) map[string]any {
	trace, correlation, stamp := uuid(), uuid(), now.UTC().Format("2006-01-02 15:04:05Z")
	text := fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", r.code, r.text, trace, correlation, stamp)
	doc := map[string]any{"error": r.oauth, "error_description": text, "error_codes": []int{r.code}, "timestamp": stamp,
		"trace_id": trace, "correlation_id": correlation, "error_uri": "https://" + Host + "/error?code=" + strconv.Itoa(r.code)}
	if r.sub != "" {
		doc["suberror"] = r.sub
	}
	if r.claims != "" {
		doc["claims"] = r.claims
	}
	return doc
}

// pending is how a device code that waits is answered.
func pending(word, text string) *refusal { return &refusal{oauth: word, code: 70016, text: text} }

func uuid() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

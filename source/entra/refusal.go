package entra

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// meaning is what a refusal comes to: what can be done about it, and one sentence that names the setting, the person or
// the command.
type meaning struct {
	kind credential.Kind
	text string
}

// codes are what is known about AADSTS numbers (Microsoft's "Microsoft Entra authentication and authorization error
// codes"). Microsoft may change them: they are read after the OAuth members that decide by themselves.
var codes = map[int]meaning{
	9010010: {credential.Misconfigured, "Entra ID does not accept the resource parameter for these scopes"},
	901002:  {credential.Misconfigured, "Entra ID does not support the resource parameter for this app"},
	90009:   {credential.Misconfigured, "the client asks for a token for itself: set client_id to the registration of the client and scopes to the app of the server, which are two"},
	70011:   {credential.Misconfigured, "the scopes are malformed or mix .default with others; set scopes to the one or the other"},
	700022:  {credential.Misconfigured, "the scopes belong to more than one app; set scopes to those of one App ID URI"},
	28000:   {credential.Misconfigured, "the scopes belong to more than one app; set scopes to those of one App ID URI"},
	28002:   {credential.Misconfigured, "a scope is not valid for an access token; set scopes to full names such as api://APP/.default"},
	28003:   {credential.Misconfigured, "the scopes are empty; set scopes to full names such as api://APP/.default"},
	650053:  {credential.Misconfigured, "the app does not have one of the scopes; check scopes, in which a name without api://APP/ before it means Microsoft Graph"},
	500011:  {credential.Misconfigured, "the tenant does not know the app of the scopes; check scopes and tenant"},
	900144:  {credential.Misconfigured, "no scope was sent; set scopes to full names such as api://APP/.default"},

	700082:  {credential.SignInDead, "the refresh token was not used for too long"},
	70043:   {credential.SignInDead, "the tenant's sign-in frequency policy wants a new sign-in"},
	50173:   {credential.SignInDead, "the sign-in was revoked, as by a new password"},
	50132:   {credential.SignInDead, "the session was revoked, as by a new password"},
	700081:  {credential.SignInDead, "the refresh token has reached its greatest age"},
	50133:   {credential.SignInDead, "the session has ended, as by a new password"},
	70000:   {credential.SignInDead, "the refresh token is not valid"},
	70008:   {credential.SignInDead, "the refresh token or code has expired"},
	9002313: {credential.SignInDead, "the refresh token or code is not one of Entra ID's"},

	50074: {credential.StepUp, "Entra ID wants a second factor"},
	50076: {credential.StepUp, "Entra ID wants a second factor"},
	50078: {credential.StepUp, "Entra ID wants the second factor again"},
	50079: {credential.StepUp, "Entra ID wants a second factor to be set up"},
	50072: {credential.StepUp, "Entra ID wants a second factor to be set up"},
	53004: {credential.StepUp, "Entra ID wants a second factor to be set up"},
	50158: {credential.StepUp, "Entra ID wants a check by another service"},
	50055: {credential.StepUp, "the password has expired"},
	50058: {credential.StepUp, "Entra ID wants a new sign-in"},

	53000: {credential.Refused, "a Conditional Access policy wants a managed device: ask the administrator of the tenant"},
	53001: {credential.Refused, "a Conditional Access policy wants a device that is joined to the domain: ask the administrator of the tenant"},
	53002: {credential.Refused, "a Conditional Access policy does not approve this client: ask the administrator of the tenant"},
	53003: {credential.Refused, "a Conditional Access policy blocks this sign-in: ask the administrator of the tenant"},

	50005:  {credential.Refused, "a Conditional Access policy does not allow this kind of device: ask the administrator of the tenant"},
	50097:  {credential.Refused, "a Conditional Access policy wants a device that signs in itself: ask the administrator of the tenant"},
	53011:  {credential.Refused, "the account is blocked as risky: ask the administrator of the tenant"},
	530032: {credential.Refused, "a security policy blocks this sign-in: ask the administrator of the tenant"},

	65001: {credential.StepUp, "nobody has consented yet that this client uses the app of the server"},
	65004: {credential.Refused, "consent was declined"},
	90094: {credential.Misconfigured, "an administrator of the tenant must consent to this client: see docs/entra.md"},
	65002: {credential.Misconfigured, "the owner of the server's app must preauthorise this client: set client_id to one that is, or see docs/entra.md"},

	700016:  {credential.Misconfigured, "the tenant does not know this client; check client_id and tenant"},
	7000112: {credential.Misconfigured, "the registration of this client is disabled: ask the administrator of the tenant, or set another client_id"},
	7000218: {credential.Misconfigured, "the registration of this client does not allow public client flows: turn that on under Authentication"},
	50011:   {credential.Misconfigured, "the registration of this client lacks the redirect URI http://localhost of a mobile and desktop application"},
	500113:  {credential.Misconfigured, "the registration of this client lacks the redirect URI http://localhost of a mobile and desktop application"},
	7000215: {credential.Misconfigured, "the client secret is wrong; use the secret's value and not its id"},
	7000222: {credential.Misconfigured, "the client secret has expired; make a new one"},
	700027:  {credential.Misconfigured, "the client certificate is not one of the registration's, or its key does not fit"},
	700213:  {credential.Misconfigured, "no federated credential of the registration fits the subject of the assertion"},
	70021:   {credential.Misconfigured, "no federated credential of the registration fits the issuer and audience of the assertion"},
	90002:   {credential.Misconfigured, "there is no such tenant; check tenant"},
	50020:   {credential.Misconfigured, "the account is not one of this tenant: choose another account, or check tenant"},
	90072:   {credential.Misconfigured, "the account is not one of this tenant: choose another account, or check tenant"},
	50105:   {credential.Refused, "the account is not assigned to the app of the server: ask the administrator of the tenant"},
	50057:   {credential.Refused, "the account is disabled: ask the administrator of the tenant"},

	54005: {credential.Refused, "the sign-in was redeemed already; sign in again"},
	90023: {credential.Internal, "Entra ID calls the request malformed, which is a fault of mcp-credential: please report it"},
	50196: {credential.Throttled, "Entra ID received the same request too often; try again later"},
}

// decisive are the OAuth and suberror words that say by themselves what is to be done; the code may only sharpen the
// sentence.
var decisive = map[string]meaning{
	"message_only":               {credential.Refused, "a policy of the tenant refuses the sign-in: ask its administrator"},
	"protection_policy_required": {credential.Refused, "a protection policy of the tenant refuses this client: ask its administrator"},
	"consent_required":           {credential.StepUp, "Entra ID wants consent for the app of the server"},
	"basic_action":               {credential.StepUp, "Entra ID wants to ask the person something"},
	"additional_action":          {credential.Refused, "a policy wants something that no sign-in can give, such as a managed device: ask the administrator of the tenant"},
	"user_password_expired":      {credential.StepUp, "the password has expired"},
	"bad_token":                  {credential.SignInDead, "the refresh token is no longer accepted"},
	"token_expired":              {credential.SignInDead, "the refresh token has expired"},
	"temporarily_unavailable":    {credential.Throttled, "Entra ID asks to wait"},
	"invalid_scope":              {credential.Misconfigured, "Entra ID does not accept the scopes; check scopes"},
	"invalid_target":             {credential.Misconfigured, "Entra ID does not accept the resource parameter"},
	"authorization_declined":     {credential.Refused, "the sign-in was declined"},
	"access_denied":              {credential.Refused, "access was denied at Entra ID"},
	"expired_token":              {credential.NoSignIn, "the code was not used in time"},
	"code_expired":               {credential.NoSignIn, "the code was not used in time"},
}

// vague are the OAuth words that Entra uses for many things, for codes that are not known.
var vague = map[string]meaning{
	"interaction_required": {credential.StepUp, "Entra ID wants to ask the person something"},
	"login_required":       {credential.StepUp, "Entra ID wants a new sign-in"},
	"invalid_grant":        {credential.StepUp, "Entra ID no longer accepts the sign-in for this server"}, // and perhaps for others
	"invalid_client":       {credential.Misconfigured, "Entra ID does not accept the client; check client_id"},
	"unauthorized_client":  {credential.Misconfigured, "Entra ID does not accept the client; check client_id and tenant"},
	"invalid_resource":     {credential.Misconfigured, "Entra ID does not accept the app of the scopes; check scopes"},
	"invalid_request":      {credential.Misconfigured, "Entra ID does not accept the request; check client_id, scopes and tenant"},
}

// mismatched reports that the resource parameter was the fault.
func (r reply) mismatched() bool {
	return r.Error == "invalid_target" || r.code() == 9010010 || r.code() == 901002
}

// refusal turns an answer that is no success into an error. Of the texts in it only code, correlation id and time are
// repeated, for the administrator who looks them up.
func (r reply) refusal(t credential.Target, now time.Time) *credential.Error {
	wait, _ := webclient.RetryAfter(r.retryAfter, now)
	if r.Error == "" {
		return r.withoutText(wait)
	}
	m := r.meaning()
	if r.status == http.StatusTooManyRequests || r.status >= 500 && wait > 0 {
		m = meaning{credential.Throttled, "Entra ID asks to wait"}
	}
	e := &credential.Error{Kind: m.kind, Text: m.text + " (" + r.reference() + ")", Server: t.Server, Code: r.name()}
	switch m.kind {
	case credential.Throttled:
		e.RetryAfter = cmp.Or(wait, leastRest)
	case credential.StepUp:
		e.Claims = r.wantedClaims()
	}
	return e
}

// leastRest is how long a throttled client rests where Entra does not say.
const leastRest = 30 * time.Second

// withoutText is for answers that are not Entra's JSON: of a proxy, or of a service that fails.
func (r reply) withoutText(wait time.Duration) *credential.Error {
	status := strconv.Itoa(r.status)
	switch {
	case r.status == http.StatusTooManyRequests || r.status >= 500 && wait > 0:
		e := credential.Fail(credential.Throttled, "Entra ID asks to wait", nil)
		e.RetryAfter = cmp.Or(wait, leastRest)
		return e
	case r.status >= 500:
		return credential.Fail(credential.Network, "Entra ID fails with status "+status, nil)
	}
	return credential.Fail(credential.Network, "the sign-in service of Entra ID answers "+status+" without an error message; a proxy may have answered in its place", nil)
}

// meaning reads the suberror, then the error, then the code, then the error again as far as it goes. A code that says
// that no sign-in can help stands beside a suberror that asks for one (AADSTS53000).
func (r reply) meaning() meaning {
	known, hint := codes[r.code()]
	for _, word := range []string{r.SubError, r.Error} {
		if m, ok := decisive[word]; ok {
			if hint && (known.kind == m.kind || m.kind == credential.StepUp && known.kind != credential.SignInDead) {
				return known
			}
			return m
		}
	}
	if hint {
		return known
	}
	if m, ok := vague[r.Error]; ok {
		return m
	}
	return meaning{credential.Refused, "Entra ID refused"}
}

// The patterns are compiled when the first refusal needs them: every start of the core would pay for them else.
var (
	aadsts      = pattern(`^AADSTS([0-9]{1,9})\b`)
	correlation = pattern(`Correlation ID: ([0-9a-fA-F-]{36})`)
	stamp       = pattern(`Timestamp: ([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}Z)`)
	plainID     = pattern(`^[0-9a-fA-F-]{36}$`)
	plainTime   = pattern(`^[0-9T:. -]{10,30}Z$`)
)

func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// code is the AADSTS number, 0 where there is none.
func (r reply) code() int {
	if m := aadsts().FindStringSubmatch(r.Description); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	if len(r.Codes) > 0 {
		return r.Codes[0]
	}
	return 0
}

// name is what the refusal is called: AADSTS and the number, else the OAuth word.
func (r reply) name() string {
	if n := r.code(); n > 0 {
		return "AADSTS" + strconv.Itoa(n)
	}
	return credential.Printable(r.Error, 60)
}

// reference is what an administrator needs to find the sign-in in the tenant's log.
func (r reply) reference() string {
	out := []string{r.name()}
	id, at := r.CorrelationID, r.Timestamp
	if m := correlation().FindStringSubmatch(r.Description); m != nil && id == "" {
		id = m[1]
	}
	if m := stamp().FindStringSubmatch(r.Description); m != nil && at == "" {
		at = m[1]
	}
	if plainID().MatchString(id) {
		out = append(out, "correlation id "+id)
	}
	if plainTime().MatchString(at) {
		out = append(out, "at "+at)
	}
	return strings.Join(out, ", ")
}

// maxClaims bounds the claims that are passed on, in bytes.
const maxClaims = 8 << 10

// wantedClaims are the claims that a sign-in has to bring, or "".
func (r reply) wantedClaims() string {
	if len(r.Claims) > maxClaims || !strings.HasPrefix(r.Claims, "{") {
		return ""
	}
	return r.Claims
}

// redirected reads a redirect that carries an error as a reply.
func redirected(values url.Values) reply {
	return reply{status: http.StatusBadRequest, Error: values.Get("error"), SubError: values.Get("error_subcode"), Description: values.Get("error_description"),
		Claims: values.Get("claims")}
}

package entra

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
)

// reply is an answer of the token or device code endpoint, success or refusal. A member of the wrong JSON type counts
// as absent, so that it cannot hide a rotated refresh token.
type reply struct {
	status     int
	body       []byte
	retryAfter string
	sent       time.Time // by our clock, before the request
	read       time.Time // and after the last byte of the answer

	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
	IDToken      string `json:"id_token"`
	ClientInfo   string `json:"client_info"`
	ExpiresIn    number `json:"expires_in"`
	RefreshIn    number `json:"refresh_in"`
	RefreshLife  number `json:"refresh_token_expires_in"`
	Interval     number `json:"interval"`

	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	SubError      string `json:"suberror"`
	Claims        string `json:"claims"`
	CorrelationID string `json:"correlation_id"`
	Timestamp     string `json:"timestamp"`
}

// number is a count of seconds, which Entra has written as a JSON number and as a string.
type number int64

// UnmarshalJSON takes both; anything else counts as 0.
func (n *number) UnmarshalJSON(data []byte) error {
	v, _ := strconv.ParseInt(strings.Trim(string(data), `"`), 10, 64)
	*n = number(v)
	return nil
}

// maxLife bounds what is believed about a lifetime.
const maxLife = 10 * 365 * 24 * time.Hour

func (n number) duration() time.Duration {
	return time.Duration(max(0, min(int64(n), int64(maxLife/time.Second)))) * time.Second
}

func newReply(resp *http.Response, body []byte, sent, read time.Time) reply {
	r := reply{status: resp.StatusCode, body: body, retryAfter: resp.Header.Get("Retry-After"), sent: sent, read: read}
	_ = json.Unmarshal(body, &r) // what cannot be read is absent
	return r
}

// ok reports success.
func (r reply) ok() bool { return r.status/100 == 2 && r.Error == "" }

// fails reports that Entra has trouble of its own and did not say how long.
func (r reply) fails() bool { return r.status >= 500 && r.retryAfter == "" }

// accept judges a success. scopes are the ones asked for. Life is counted from before the request.
func (r reply) accept(t credential.Target, scopes []string, jitter float64) (credential.Answer, error) {
	switch {
	case r.AccessToken == "":
		return credential.Answer{}, credential.Fail(credential.BadAnswer, "Entra ID answered without an access token", nil)
	case !credential.CheckBearer(r.AccessToken):
		return credential.Answer{}, credential.Fail(credential.BadAnswer, "Entra ID sent an access token with characters that may not travel in a header", nil)
	case r.TokenType != "" && !strings.EqualFold(r.TokenType, "Bearer") || bound(r.AccessToken):
		return credential.Answer{}, credential.Fail(credential.Misconfigured,
			"Entra ID sent a token that is bound to a key (proof of possession), which cannot be used as a Bearer token; the app or a token protection policy of the tenant demands that", nil)
	case r.ExpiresIn <= 0:
		return credential.Answer{}, credential.Fail(credential.BadAnswer, "Entra ID sent an access token without an expiry", nil)
	}
	life := r.ExpiresIn.duration()
	token := credential.Token{
		Access: credential.NewSecret(r.AccessToken), Type: "Bearer", Obtained: r.sent, Expiry: r.sent.Add(life), Scopes: r.granted(scopes),
		Account: t.Account, Issuer: t.Endpoints.Issuer, Resource: t.Resource,
	}
	token.RefreshAt = credential.RefreshWindow(token.Obtained, token.Expiry, jitter)
	if in := r.RefreshIn.duration(); in > 0 && in < life {
		token.RefreshAt = r.sent.Add(in)
	}
	a := credential.Answer{Token: token, ClientID: t.ClientID, AuthMethod: "none", User: r.user(), Subject: r.subject()}
	if d := r.RefreshLife.duration(); d > 0 {
		a.RefreshExpires = r.sent.Add(d)
	}
	return a, nil
}

// granted are the scopes that Entra says the token has, without the OpenID ones; those asked for where it does not say.
func (r reply) granted(asked []string) []string {
	said := slices.DeleteFunc(strings.Fields(r.Scope), func(s string) bool { return !credential.CheckScope(s) })
	if said = microsoft.Resource(said); len(said) == 0 {
		return asked
	}
	return said
}

// bound reports whether a token is good only together with a key (the cnf claim, RFC 7800 section 3.1). Access tokens
// of Microsoft's own services may be opaque: those say nothing.
func bound(access string) bool {
	var claims struct {
		Confirmation json.RawMessage `json:"cnf"`
	}
	return unpack(part(access, 1), &claims) && claims.Confirmation != nil
}

// user is a name to show. Nothing is verified and nothing is decided by it.
func (r reply) user() string {
	var claims struct {
		Name  string `json:"preferred_username"`
		UPN   string `json:"upn"`
		Email string `json:"email"`
	}
	unpack(part(r.IDToken, 1), &claims)
	for _, name := range []string{claims.Name, claims.UPN, claims.Email} {
		if name != "" {
			return credential.Printable(name, 200)
		}
	}
	return ""
}

// subject is the home account id as MSAL forms it: object id and tenant of the account, from client_info.
func (r reply) subject() string {
	var info struct {
		UID  string `json:"uid"`
		UTID string `json:"utid"`
	}
	if !unpack(r.ClientInfo, &info) || info.UID == "" {
		return ""
	}
	return credential.Printable(info.UID+"."+info.UTID, 100)
}

// part is the n-th part of a compact JWS, or "".
func part(jws string, n int) string {
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return ""
	}
	return parts[n]
}

// unpack decodes a base64url JSON object.
func unpack(text string, into any) bool {
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	return err == nil && len(data) > 0 && json.Unmarshal(data, into) == nil
}

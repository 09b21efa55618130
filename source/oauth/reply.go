package oauth

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxLife bounds what a server may say about a lifetime; more would not fit a duration, or be meant.
const maxLife = 10 * 365 * 24 * time.Hour

// reply is an answer of the authorization server, read but not judged. Members that are not of the expected JSON type
// count as absent until they are judged, so that one odd member cannot hide a rotated refresh token.
type reply struct {
	status     int
	retryAfter string
	members    map[string]json.RawMessage // nil: not a JSON object
	sent       time.Time                  // by our clock, before the request
	read       time.Time                  // and after the last byte of the answer
	secrets    []string                   // what the request held
	nonce      string                     // for the next proof (RFC 9449 section 8); empty: the server names none
}

func newReply(resp *http.Response, body []byte) reply {
	r := reply{status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After")}
	if json.Unmarshal(body, &r.members) != nil {
		r.members = nil
	}
	return r
}

// ok reports success. GitHub and Slack send their refusals with 200 and an error member.
func (r reply) ok() bool { return r.status/100 == 2 && r.text("error") == "" }

// text returns a string member, or "".
func (r reply) text(name string) string {
	var s string
	if json.Unmarshal(r.members[name], &s) != nil {
		return ""
	}
	return s
}

func (r reply) refreshToken() credential.Secret { return credential.NewSecret(r.text("refresh_token")) }

// seconds returns a duration member, which servers write as a number or as a string with a number in it. Absent, null
// and 0 (several servers' way to say "does not expire") are 0; anything else that is not a positive number is not ok.
func (r reply) seconds(name string) (d time.Duration, ok bool) {
	raw := strings.Trim(string(r.members[name]), `"`)
	if raw == "" || raw == "null" {
		return 0, true
	}
	n, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsNaN(n) || n < 0 {
		return 0, false
	}
	return time.Duration(min(n, maxLife.Seconds()) * float64(time.Second)), true
}

// accept judges a reply of the token endpoint and builds the answer. kept is the grant to answer with.
func (s *Source) accept(r reply, t credential.Target, c client, kept credential.Grant) (credential.Answer, error) {
	if !r.ok() {
		return credential.Answer{}, r.refusal(s.Now())
	}
	token, err := s.token(r, t, c)
	if err != nil {
		return credential.Answer{}, err
	}
	kept.Key = c.proof
	a := credential.Answer{Token: token, Grant: kept, ClientID: c.id, AuthMethod: c.method, User: r.user()}
	if token.Account == "" {
		a.Token.Account = a.User
	}
	for _, name := range []string{"refresh_token_expires_in", "refresh_expires_in"} { // Entra, GitHub; Keycloak
		if d, ok := r.seconds(name); ok && d > 0 && a.RefreshExpires.IsZero() {
			a.RefreshExpires = r.sent.Add(d)
		}
	}
	return a, nil
}

// token judges the access token. Its life is counted from before the request: the server's answer took time. One that was to
// be bound to c's key and is not would be a bearer token where the person was told of none (RFC 9449 section 5).
func (s *Source) token(r reply, t credential.Target, c client) (credential.Token, error) {
	if t.IDToken {
		return s.idToken(r, t)
	}
	wanted := "Bearer"
	if !c.proof.IsZero() {
		wanted = credential.TypeDPoP
	}
	access := r.text("access_token")
	life, ok := r.seconds("expires_in")
	switch kind := r.text("token_type"); {
	case access == "":
		return credential.Token{}, credential.Fail(credential.BadAnswer, "the authorization server answered without an access token", nil)
	case !credential.CheckBearer(access):
		return credential.Token{}, credential.Fail(credential.BadAnswer, "the authorization server sent an access token with characters that may not travel in a header", nil)
	case !strings.EqualFold(cmp.Or(kind, "Bearer"), wanted): // RFC 6749 section 7.1; some servers leave it out
		return credential.Token{}, credential.Fail(credential.BadAnswer, "the authorization server sent a token of type "+credential.Printable(cmp.Or(kind, "Bearer"), 40)+"; only "+wanted+" can be used", nil)
	case !ok:
		return credential.Token{}, credential.Fail(credential.BadAnswer, "the authorization server sent an expires_in that is not a number of seconds", nil)
	}
	token := credential.Token{
		Access: credential.NewSecret(access), Type: wanted, Key: c.proof, Obtained: r.sent, Scopes: r.scopes(t.Scopes),
		Account: t.Account, Issuer: t.Endpoints.Issuer, Resource: t.Resource,
	}
	if life > 0 {
		token.Expiry = r.sent.Add(life)
		token.RefreshAt = credential.RefreshWindow(token.Obtained, token.Expiry, s.Jitter())
		if in, ok := r.seconds("refresh_in"); ok && in > 0 && in < life {
			token.RefreshAt = r.sent.Add(in)
		}
	}
	return token, nil
}

// scopes returns what the server says it granted, else what was asked for (RFC 6749 section 5.1).
func (r reply) scopes(asked []string) []string {
	words := strings.Fields(r.text("scope"))
	if len(words) == 1 && !slices.Contains(asked, words[0]) {
		words = strings.Split(words[0], ",") // as GitHub and Slack write them
	}
	var granted []string
	for _, scope := range words {
		if credential.CheckScope(scope) {
			granted = append(granted, scope)
		}
	}
	if granted == nil {
		return asked
	}
	return granted
}

// user takes a name to show out of the ID token. Nothing is verified and nothing is decided by it.
func (r reply) user() string {
	parts := strings.Split(r.text("id_token"), ".")
	if len(parts) != 3 {
		return ""
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	claims := reply{}
	if err != nil || json.Unmarshal(data, &claims.members) != nil {
		return ""
	}
	for _, name := range []string{"preferred_username", "email", "name"} {
		if v := claims.text(name); v != "" {
			return credential.Printable(v, 100)
		}
	}
	return ""
}

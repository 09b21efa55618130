package doctor

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// claims is what an access token in the form of a JWT (RFC 9068) says of itself, as far as it can be shown: nothing of who
// the person is, and no signature. Nobody has verified it.
type claims struct {
	Issuer   string   `json:"iss"`
	Audience audience `json:"aud"`
	Scope    texts    `json:"scope"`
	Scp      texts    `json:"scp"` // Entra ID, Okta
	Expiry   float64  `json:"exp"`
}

// audience is one text or a list of them (RFC 7519 section 4.1.3).
type audience = texts

type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// readClaims takes a token apart; false: it is opaque.
func readClaims(token credential.Secret) (claims, bool) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return claims{}, false
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, false
	}
	var c claims
	return c, json.Unmarshal(data, &c) == nil
}

// String tells the claims.
func (c claims) String() string {
	var out []string
	if c.Issuer != "" {
		out = append(out, "issuer "+shown(c.Issuer))
	}
	if len(c.Audience) > 0 {
		out = append(out, "audience "+strings.Join(c.Audience, ", "))
	}
	if scopes := slices.Concat(c.Scope, c.Scp); len(scopes) > 0 {
		out = append(out, "scopes "+strings.Join(scopes, " "))
	}
	if c.Expiry > 0 {
		out = append(out, "until "+time.Unix(int64(c.Expiry), 0).UTC().Format("2006-01-02 15:04 UTC"))
	}
	return strings.Join(out, "; ")
}

// covers reports whether an audience is the server: its URL, its resource, their origin (each with or without a slash at the
// end), or the application that the scopes belong to, by its identifier URI or its id (Entra ID).
func (c claims) covers(url, found, asked string, scopes []string) bool {
	want := map[string]bool{}
	for _, u := range []string{url, found, asked} {
		if u != "" {
			want[strings.TrimSuffix(u, "/")] = true
			want[strings.TrimSuffix(credential.Origin(u), "/")] = true
		}
	}
	for _, scope := range scopes {
		if i := strings.LastIndexByte(scope, '/'); i > 0 {
			want[strings.TrimSuffix(scope[:i], "/")] = true
			want[strings.TrimPrefix(scope[:i], "api://")] = true
		}
	}
	return slices.ContainsFunc(c.Audience, func(a string) bool { return want[strings.TrimSuffix(a, "/")] })
}

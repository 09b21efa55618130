package oauth

import (
	"crypto/subtle"
	"net/url"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxPasted bounds a pasted redirect in bytes.
const maxPasted = 16 << 10

// judge returns the code of a redirect. State comes first, then the issuer (RFC 9207 section 2.4: compared byte by
// byte, and demanded where the server announced it); until both are right nothing of the redirect is shown, not even
// its error, for it may come from another server.
func (a attempt) judge(values url.Values) (string, error) {
	for _, name := range []string{"state", "iss", "code", "error"} {
		if len(values[name]) > 1 {
			return "", credential.Fail(credential.Hostile, "the redirect gives "+name+" more than once", nil)
		}
	}
	if subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(a.state)) != 1 {
		return "", credential.Fail(credential.Hostile, "the redirect belongs to another sign-in", nil)
	}
	e := a.target.Endpoints
	if values.Has("iss") && values.Get("iss") != e.Issuer {
		return "", credential.Fail(credential.Hostile, "the redirect comes from another authorization server", nil)
	}
	if e.IssInResponse && !values.Has("iss") {
		return "", credential.Fail(credential.Hostile, "the redirect does not say which authorization server it comes from, though that server announced it would", nil)
	}
	if code := values.Get("error"); code != "" {
		return "", describe(code, values.Get("error_description"))
	}
	if values.Get("code") == "" {
		return "", credential.Fail(credential.Hostile, "the redirect has neither a code nor an error", nil)
	}
	return values.Get("code"), nil
}

// parsePasted reads what a person copied out of the address bar: the whole redirect, or only its query. Errors are of
// kind BadInput and do not repeat the text, which holds a code.
func parsePasted(text, redirect string) (url.Values, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxPasted {
		return nil, credential.Fail(credential.BadInput, "the pasted address is empty or longer than 16 KiB", nil)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, credential.Fail(credential.BadInput, "the pasted address contains a space or a control character", nil)
	}
	query := strings.TrimPrefix(text, "?")
	if strings.Contains(text, "://") && !strings.HasPrefix(text, "?") {
		at, rest, _ := strings.Cut(text, "?")
		if at != redirect {
			return nil, credential.Fail(credential.BadInput, "the pasted address is not the one that the sign-in ends on, which begins with "+redirect, nil)
		}
		query = rest
	}
	query, _, _ = strings.Cut(query, "#")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, credential.Fail(credential.BadInput, "the pasted address cannot be read", nil)
	}
	return values, nil
}

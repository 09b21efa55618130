package oauth

import (
	"net/url"

	"github.com/mcp-credential/mcp-credential/credential"
)

// judge returns the code of a redirect. State comes first, then the issuer (RFC 9207 section 2.4: compared byte by
// byte, and demanded where the server announced it); until both are right nothing of the redirect is shown, not even
// its error, for it may come from another server.
func (a attempt) judge(values url.Values) (string, error) {
	if err := a.Check(values); err != nil {
		return "", err
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

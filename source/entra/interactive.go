package entra

import (
	"context"
	"net/url"
	"strings"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
	"github.com/mcp-credential/mcp-credential/source"
)

// browser signs in with the browser of this machine.
func (c *msalTransport) browser(ctx context.Context, app public.Client, t credential.Target, ui source.UI) (credential.Answer, error) {
	a := source.NewAttempt()
	waiting, err := source.Listen(ctx, ui, t, a.State, true, loopback.ListenLocalhost)
	if err != nil {
		return credential.Answer{}, err
	}
	defer waiting.Close()
	a.Redirect = waiting.URI()
	where, err := c.authorization(ctx, app, t, a, "form_post")
	if err != nil {
		return credential.Answer{}, err
	}
	arrival, err := source.Browse(ctx, ui, where, waiting)
	if err != nil {
		return credential.Answer{}, err
	}
	answer, err := c.redeem(ctx, app, t, a, arrival.Values)
	arrival.Done(err)
	return answer, err
}

// pasted signs in with a browser elsewhere, whose last address the person pastes: so the code comes in the query, and the
// port is one where nobody listens.
func (c *msalTransport) pasted(ctx context.Context, app public.Client, t credential.Target, ui source.UI) (credential.Answer, error) {
	a := source.NewAttempt()
	var err error
	if a.Redirect, err = source.RedirectElsewhere(t, loopback.ListenLocalhost); err != nil {
		return credential.Answer{}, err
	}
	where, err := c.authorization(ctx, app, t, a, "query")
	if err != nil {
		return credential.Answer{}, err
	}
	values, err := a.Pasted(ctx, ui, where)
	if err != nil {
		return credential.Answer{}, err
	}
	return c.redeem(ctx, app, t, a, values)
}

// authorization is the URL to sign in at. MSAL writes it, without the parameters that its own browser flow adds. Where no
// user is known, who signs in for what was not approved before, the person chooses the account: a browser that is signed
// in gives nothing away by itself.
func (c *msalTransport) authorization(ctx context.Context, app public.Client, t credential.Target, a source.Attempt, mode string) (string, error) {
	opts := []public.AuthCodeURLOption{public.WithClaims(t.Claims)}
	if hint := loginHint(t); hint != "" {
		opts = append(opts, public.WithLoginHint(hint))
	}
	scopes := append([]string{"openid", "profile", "offline_access"}, c.scopes...)
	text, err := app.AuthCodeURL(ctx, t.ClientID, a.Redirect, scopes, opts...)
	if err != nil {
		return "", c.fault(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", c.fault(err)
	}
	q := u.Query()
	for name, value := range t.Params {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	a.Request(q)
	q.Set("response_mode", mode)
	if t.User == "" {
		q.Set("prompt", "select_account")
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// loginHint is the account to sign in with: a label that is a user name, else who signed in before.
func loginHint(t credential.Target) string {
	if strings.Contains(t.Account, "@") {
		return t.Account
	}
	return t.User
}

// redeem judges a redirect and trades its code for tokens. Nothing of a redirect with another state is looked at.
func (c *msalTransport) redeem(ctx context.Context, app public.Client, t credential.Target, a source.Attempt, values url.Values) (credential.Answer, error) {
	if err := a.Check(values); err != nil {
		return credential.Answer{}, err
	}
	if values.Get("error") != "" {
		return credential.Answer{}, atSignIn(redirected(values).refusal(t, c.Now()))
	}
	code := values.Get("code")
	if code == "" {
		return credential.Answer{}, credential.Fail(credential.Hostile, "the redirect has neither a code nor an error", nil)
	}
	_, err := app.AcquireTokenByAuthCode(ctx, code, a.Redirect, c.scopes, public.WithChallenge(a.Verifier), public.WithClaims(t.Claims))
	answer, err := c.answer(t, err)
	return answer, atSignIn(err)
}

// device signs in by a code that is typed on any device (RFC 8628).
func (c *msalTransport) device(ctx context.Context, app public.Client, t credential.Target, ui source.UI) (credential.Answer, error) {
	code, err := app.AcquireTokenByDeviceCode(ctx, c.scopes, public.WithClaims(t.Claims))
	if err != nil || !c.last.ok() {
		_, err = c.answer(t, err)
		return credential.Answer{}, atSignIn(err)
	}
	if err := credential.CheckEndpoint(code.Result.VerificationURL, "verification_uri"); err != nil {
		return credential.Answer{}, err
	}
	shown := credential.Printable(code.Result.UserCode, 64)
	if shown == "" || code.Result.DeviceCode == "" {
		return credential.Answer{}, credential.Fail(credential.Refused, "Entra ID offered a device sign-in without a code", nil)
	}
	if err := ui.ShowCode(ctx, code.Result.VerificationURL, "", shown); err != nil {
		return credential.Answer{}, err
	}
	_, err = code.AuthenticationResult(ctx)
	answer, err := c.answer(t, err)
	return answer, atSignIn(err)
}

// atSignIn corrects what a refusal means while the person is there: what a new sign-in would cure did not help, and no
// sign-in that exists has ended.
func atSignIn(err error) error {
	if e, ok := err.(*credential.Error); ok && (e.Kind == credential.SignInDead || e.Kind == credential.StepUp) {
		e.Kind = credential.Refused
	}
	return err
}

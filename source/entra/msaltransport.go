package entra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
	"github.com/mcp-credential/mcp-credential/internal/wait"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// maxReply bounds an answer of Entra ID in bytes.
const maxReply = 1 << 20

// The attempts of one token request, where Entra cannot be reached or fails with 5xx, and the pause before the second,
// doubled for the third. Old refresh tokens stay good here, so that asking again can cost nothing.
const (
	attempts   = 3
	firstPause = 500 * time.Millisecond
)

// The pace of polling for a device sign-in (RFC 8628 section 3.5). MSAL itself begins after 50 ms whatever it was told.
const (
	pollDefault = 5 * time.Second
	pollSlower  = 5 * time.Second
	pollMost    = time.Minute
)

// msalTransport is the HTTP client under one call of MSAL. It lets through a form to the token or device code endpoint of
// its authority and nothing else. The OpenID configuration is answered without asking, for the allow-list has judged
// the host; the refresh token of an answer is kept before MSAL reads it, because MSAL loses it when it dislikes the
// rest (a "declined" scope); the last answer is remembered, because MSAL's errors hold the request and must not be shown.
type msalTransport struct {
	*Source
	authority microsoft.Authority
	scopes    []string                      // without the OpenID ones, which MSAL adds
	resource  string                        // sent with token requests; empty: none
	keep      func(credential.Secret) error // called with the refresh token, or none, of every success
	keepErr   error                         // of keep
	fresh     credential.Secret             // of an interactive sign-in
	interval  time.Duration                 // between two polls; zero: no device sign-in
	last      reply                         // of the token or device code endpoint
	failure   error                         // why there is none
}

// CloseIdleConnections is part of MSAL's interface; the connections belong to the process.
func (c *msalTransport) CloseIdleConnections() {}

// Do answers one request of MSAL.
func (c *msalTransport) Do(r *http.Request) (*http.Response, error) {
	where := *r.URL
	where.RawQuery, where.ForceQuery = "", false
	switch at := where.String(); {
	case r.Method == http.MethodGet && at == c.authority.Configuration():
		return c.configuration(r), nil
	case r.Method == http.MethodPost && at == strings.ReplaceAll(c.authority.Endpoint("token"), "token", "devicecode"):
		return c.deviceCode(r) // MSAL makes the URL so, whatever else in it is called token
	case r.Method == http.MethodPost && at == c.authority.Endpoint("token"):
		return c.token(r)
	}
	return nil, credential.Fail(credential.Internal, "MSAL was about to make an unexpected request, which was stopped", nil)
}

// configuration is the OpenID document of the authority, made here: it would say nothing that the allow-list does not,
// and cost a request in every process.
func (c *msalTransport) configuration(r *http.Request) *http.Response {
	body, _ := json.Marshal(map[string]string{
		"issuer": c.authority.Issuer(), "authorization_endpoint": c.authority.Endpoint("authorize"), "token_endpoint": c.authority.Endpoint("token"),
	})
	return response(r, http.StatusOK, body)
}

// deviceCode asks for a device code and notes the pace that the server wants.
func (c *msalTransport) deviceCode(r *http.Request) (*http.Response, error) {
	form, err := readForm(r)
	if err == nil {
		r.URL, err = url.Parse(c.authority.Endpoint("devicecode"))
	}
	if err == nil {
		c.last, err = c.send(r, form)
	}
	if err != nil {
		c.failure = err
		return nil, err
	}
	c.interval = pollDefault
	if d := c.last.Interval.duration(); d > 0 {
		c.interval = d
	}
	return response(r, c.last.status, c.last.body), nil
}

// token makes a token request: paced where it is a poll, with resource where that belongs to the scopes, once more
// without it where Entra finds that it does not (AADSTS9010010), and with the refresh token kept first of all.
func (c *msalTransport) token(r *http.Request) (*http.Response, error) {
	form, err := readForm(r)
	if err != nil {
		c.failure = err
		return nil, err
	}
	if c.resource != "" {
		form.Set("resource", c.resource)
	}
	c.last, err = c.ask(r, form)
	if err == nil && c.resource != "" && c.last.mismatched() {
		c.Trace("Entra ID does not take the resource parameter for these scopes; once more without it")
		c.resource = ""
		form.Del("resource")
		c.last, err = c.ask(r, form)
	}
	if c.failure = err; err != nil {
		return nil, err
	}
	if c.last.ok() {
		c.keepErr = c.keep(credential.NewSecret(c.last.RefreshToken))
	}
	return response(r, c.last.status, c.last.body), nil
}

// ask sends a form, in the way that its grant allows.
func (c *msalTransport) ask(r *http.Request, form url.Values) (reply, error) {
	if c.interval > 0 {
		return c.poll(r, form)
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		got, err := c.send(r, form)
		trouble := err == nil && got.fails() || err != nil && credential.KindOf(err) == credential.Network
		if !trouble || attempt == attempts || r.Context().Err() != nil {
			return got, err
		}
		if c.Sleep(r.Context(), pause) != nil {
			return got, err
		}
		pause *= 2
	}
}

// poll asks at the server's pace until the person has decided, so that MSAL, which has a pace of its own, sees the
// decision only. While Entra cannot be reached the person is still typing.
func (c *msalTransport) poll(r *http.Request, form url.Values) (reply, error) {
	for {
		if err := c.Sleep(r.Context(), c.interval); err != nil {
			return reply{}, credential.Fail(credential.NoSignIn, "the code was not used in time", err)
		}
		got, err := c.send(r, form)
		switch {
		case err == nil && got.Error == "authorization_pending":
		case err == nil && got.Error == "slow_down":
			c.interval += pollSlower
		case err == nil && got.fails(), err != nil && credential.KindOf(err) == credential.Network:
			c.interval = max(c.interval, min(2*c.interval, pollMost))
		default:
			return got, err
		}
	}
}

// send posts a form and reads the answer within credential.HTTPToken.
func (c *msalTransport) send(r *http.Request, form url.Values) (reply, error) {
	ctx, cancel := wait.WithTimeout(r.Context(), credential.HTTPToken)
	defer cancel()
	c.Trace("asking https://" + c.authority.Host + " for a token, grant " + form.Get("grant_type"))
	req := r.Clone(ctx)
	encoded := form.Encode()
	req.Body, req.ContentLength, req.GetBody = io.NopCloser(strings.NewReader(encoded)), int64(len(encoded)), nil
	sent := c.Now()
	resp, err := c.Client.Do(req)
	if err != nil {
		return reply{}, webclient.Failure(err, "sign-in service of Entra ID")
	}
	body, err := webclient.ReadBody(resp, maxReply)
	if err != nil {
		return reply{}, err
	}
	return newReply(resp, body, sent, c.Now()), nil
}

func readForm(r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, credential.Fail(credential.Internal, "a request could not be read", err)
	}
	return url.ParseQuery(string(body))
}

func response(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

// answer judges the last reply. MSAL's own error matters only where there was no reply: with a usable token a "declined"
// scope or a cache that MSAL could not write is nothing to us, and its text may quote the answer.
func (c *msalTransport) answer(t credential.Target, err error) (credential.Answer, error) {
	if c.failure != nil || c.last.status == 0 {
		return credential.Answer{}, c.fault(err)
	}
	if !c.last.ok() {
		return credential.Answer{}, c.last.refusal(t, c.Now())
	}
	return c.last.accept(t, c.scopes, c.Jitter())
}

// fault is the error of a call that brought no reply. MSAL's text is left out.
func (c *msalTransport) fault(err error) error {
	var own *credential.Error
	switch {
	case errors.As(c.failure, &own), errors.As(err, &own):
		return own
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return credential.Fail(credential.Network, "the sign-in service of Entra ID did not answer in time", nil)
	}
	return credential.Fail(credential.Internal, "the request to Entra ID could not be made; check the client ID and the tenant", nil)
}

// resource is the RFC 8707 parameter to send, empty for none. Entra ID takes the audience from the scopes, and refuses
// a resource that is not their App ID URI byte for byte, a trailing slash included (AADSTS9010010): so it is sent where
// the server's resource is that, and else not.
func resource(resource string, scopes []string) string {
	for _, s := range scopes {
		if microsoft.App(s) != resource {
			return ""
		}
	}
	return resource
}

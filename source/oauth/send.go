package oauth

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
	"github.com/mcp-credential/mcp-credential/internal/wait"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// maxReply bounds an answer of the authorization server in bytes.
const maxReply = 1 << 20

// The pauses between the attempts of one token request: the first, doubled up to the number of attempts. Together 15.5
// seconds, which leaves time for an answer within credential.RefreshTotal.
const (
	firstPause = 500 * time.Millisecond
	attempts   = 6
)

// processed marks the failure of a request that the server may have processed.
type processed struct{ error }

func (p processed) Unwrap() error { return p.error }

// newForm begins a token request. resource goes into every one, byte-exact (RFC 8707 section 2).
func newForm(grantType string, t credential.Target) url.Values {
	form := url.Values{"grant_type": {grantType}}
	set(form, "resource", t.Resource)
	return form
}

// send posts a form to the token endpoint and returns the answer of any status below 500 but 429. It tries again, within
// ctx, where the server cannot have processed the request: when nothing was sent (the dial failed). One that spends nothing
// is also repeated when the server itself says that it failed (5xx, 429). A refresh token or a code may have been spent all the
// same, and a second request with it would look like a theft to a server that detects reuse, and cost the whole
// grant (OAuth 2.1 section 4.3.1). A Retry-After is not waited for: it ends in an error of kind Throttled.
func (s *Source) send(ctx context.Context, endpoint string, c client, form url.Values) (reply, error) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		r, err := s.try(ctx, endpoint, c, form, attempt)
		if err == nil || !again(err) || attempt == attempts {
			return r, err
		}
		wait := pause + time.Duration(float64(pause)*s.Jitter()/2)
		if end, ok := ctx.Deadline(); ok && time.Until(end) <= wait {
			return r, err
		}
		if s.Sleep(ctx, wait) != nil {
			return r, err
		}
		pause *= 2
	}
}

// try makes one request.
func (s *Source) try(ctx context.Context, endpoint string, c client, form url.Values, attempt int) (reply, error) {
	s.Trace("asking " + credential.Origin(endpoint) + " for a token, attempt " + strconv.Itoa(attempt))
	r, err := ask(ctx, s, endpoint, c, form)
	if err != nil {
		return reply{}, err
	}
	if r.status >= 500 || r.status == http.StatusTooManyRequests {
		if form.Has("refresh_token") || form.Has("code") || form.Has("assertion") {
			return reply{}, processed{r.refusal(s.Now())}
		}
		return reply{}, r.refusal(s.Now())
	}
	return r, nil
}

// again reports whether a failed try may be repeated at once.
func again(err error) bool {
	var e *credential.Error
	var sent processed
	var cert *tls.CertificateVerificationError
	if !errors.As(err, &e) || errors.As(err, &sent) || errors.As(err, &cert) || errors.Is(err, context.Canceled) {
		return false
	}
	return e.Kind == credential.Network || e.Kind == credential.Throttled && e.RetryAfter == 0
}

// post sends one form and reads the answer within credential.HTTPToken, in which this process runs. Its errors have a kind; one after the
// connection stood wraps processed.
func (s *Source) post(ctx context.Context, endpoint string, c client, form url.Values) (reply, error) {
	ctx, cancel := wait.WithTimeout(ctx, credential.HTTPToken)
	defer cancel()
	if err := c.identify(form, s.Now()); err != nil {
		return reply{}, err
	}
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, credential.Fail(credential.Misconfigured, "the endpoint cannot be requested", nil)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	c.sign(req)
	sent := s.Now()
	if !c.proof.IsZero() {
		if err := dpop.Prove(req, c.proof, credential.Secret{}, s.nonces.For(endpoint), sent); err != nil {
			return reply{}, err
		}
	}
	resp, err := s.Client.Do(req)
	if err == nil {
		var body []byte
		if body, err = webclient.ReadBody(resp, maxReply); err == nil {
			read := s.Now()
			r := newReply(resp, body)
			r.sent, r.read, r.secrets = sent, read, secretsIn(form, c)
			r.nonce = s.nonces.Take(endpoint, resp.Header)
			return r, nil
		}
	}
	failure := webclient.Failure(err, "authorization server")
	if connected.Load() && failure.Err != nil {
		failure.Err = processed{failure.Err}
	}
	return reply{}, failure
}

// secretsIn lists what of a request may not be repeated in any text.
func secretsIn(form url.Values, c client) []string {
	var out []string
	for _, name := range []string{"refresh_token", "token", "code", "code_verifier", "device_code", "client_assertion", "assertion", "subject_token"} {
		if v := form.Get(name); v != "" {
			out = append(out, v)
		}
	}
	if !c.secret.IsZero() {
		out = append(out, c.secret.Reveal())
	}
	return out
}

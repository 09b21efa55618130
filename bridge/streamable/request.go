package streamable

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
	"github.com/mcp-credential/mcp-credential/internal/wait"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// request is one HTTP request to the server.
type request struct {
	*Client
	call    *Call // that it is for
	method  string
	last    string   // Last-Event-ID
	session *session // that it goes to; nil: the present one
	final   bool     // a lost session is the answer: no new one is opened for this
	attempts
}

// attempts is what those of one request have used up.
type attempts struct {
	until      time.Time // no attempt begins after this; zero: none has failed on the way
	pause      time.Duration
	challenges []discovery.Challenge // for each of these the token was replaced once
	superseded int                   // how often another request had already replaced it
	renewed    bool                  // the session was replaced once
	redirects  int
	throttled  time.Duration // spent waiting because the server said so
}

// The pauses between attempts.
const (
	pauseLeast = 250 * time.Millisecond
	pauseMost  = 4 * time.Second
)

func (c *Client) request(call *Call, method string) *request {
	return &request{Client: c, call: call, method: method}
}

// do sends the request until there is an answer to judge by its content. It tries again only where the first attempt had
// no effect: nothing was written, the token was refused, the session was unknown, the server asked to wait or named
// another address on its own origin; or where a repetition has none (see repeatable).
func (r *request) do(ctx context.Context) (*http.Response, error) {
	r.attempts = attempts{pause: pauseLeast}
	for {
		t, err := r.token(ctx, token.Need{})
		if err != nil {
			return nil, err
		}
		s := r.sessions.now()
		if r.session != nil {
			s = *r.session
		}
		r.call.sent.Store(false)
		if r.call.Cancelled() {
			return nil, context.Canceled
		}
		r.call.attemptIn(s)
		resp, err := r.attempt(ctx, t, s)
		var again bool
		if err != nil {
			again, err = r.failed(ctx, err)
		} else {
			again, err = r.judge(ctx, t, s, resp)
		}
		if err == nil && !again {
			r.Tokens.Met(r.challenges)
		}
		if err != nil || !again {
			return resp, err
		}
	}
}

// token gets a token for the request, from a person where only one can help and may be asked.
func (r *request) token(ctx context.Context, n token.Need) (credential.Token, error) {
	if !r.call.silent {
		return r.Token(ctx, n)
	}
	t, err := r.Tokens.Get(ctx, n)
	if err != nil {
		r.call.need = n
	}
	return t, err
}

// maxProofs is how often an attempt is sent whose proof the server does not take: where one nonce follows another, that of a
// request's own answer may be out of date too when it comes back.
const maxProofs = 4

// attempt makes one attempt. The server does not look at what it says while the proof of the token's key has another nonce
// than it wants, or is one that it has seen, because net/http has sent it twice: then it is sent with another proof (RFC 9449
// section 9).
func (r *request) attempt(ctx context.Context, t credential.Token, s session) (*http.Response, error) {
	nonce := r.nonces.For(r.URL)
	for sent := 1; ; sent++ {
		resp, err := r.send(ctx, t, s, nonce)
		if err != nil {
			return nil, err
		}
		newer := dpop.Nonce(resp.Header)
		if t.Key.IsZero() || sent == maxProofs || !wantsProof(resp) {
			if sent > 1 {
				newer = cmp.Or(newer, nonce)
			}
			r.nonces.Put(r.URL, newer)
			return resp, nil
		}
		discard(resp)
		nonce = cmp.Or(newer, nonce) // for this request alone until it has served: others would use it up
	}
}

// wantsProof reports whether a request was refused for its proof alone.
func wantsProof(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusBadRequest {
		return false // the latter is what authorization servers answer, and some servers take over
	}
	c, err := discovery.ParseChallenge(resp.Header.Values("WWW-Authenticate"))
	return err == nil && (c.Error == dpop.ErrNonce || c.Error == dpop.ErrProof)
}

// send sends the request once. The call knows whether anything of it may have reached the server.
func (r *request) send(ctx context.Context, t credential.Token, s session, nonce string) (*http.Response, error) {
	trace := &httptrace.ClientTrace{
		GetConn:      func(string) { r.call.sent.Store(false) }, // again when net/http itself repeats what no server has seen
		WroteHeaders: func() { r.call.sent.Store(true) },
	}
	var body io.Reader
	if r.method == http.MethodPost {
		body = bytes.NewReader(r.call.m.Raw)
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), r.method, *r.endpoint.Load(), body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, r.Headers)
	switch r.method {
	case http.MethodPost:
		req.Header["Content-Type"] = []string{"application/json"}
		req.Header["Accept"] = []string{"application/json, text/event-stream"}
	case http.MethodGet:
		req.Header["Accept"] = []string{"text/event-stream"}
		if r.last != "" {
			req.Header[headerLast] = []string{r.last}
		}
	}
	r.describe(req.Header, s)
	if err := dpop.Authorize(req, t, nonce, r.Now()); err != nil {
		return nil, err
	}
	return r.HTTP.Do(req)
}

// failed deals with an attempt that got no answer.
func (r *request) failed(ctx context.Context, err error) (again bool, _ error) {
	doubtful := r.call.sent.Load() && !r.repeatable()
	switch {
	case ctx.Err() != nil && doubtful:
		return false, uncertain{ctx.Err()}
	case ctx.Err() != nil:
		return false, ctx.Err()
	}
	failed := webclient.Failure(err, "server")
	failed.Server = r.URL
	if doubtful {
		failed.Text = "the connection broke after the request was sent; it was not sent again, because it may have been carried out"
		return false, uncertain{failed}
	}
	if failed.Kind != credential.Network || untrusted(err) {
		return false, failed
	}
	return r.retry(ctx, failed)
}

// untrusted reports whether the server's certificate is the trouble, which time does not cure.
func untrusted(err error) bool {
	var cert *tls.CertificateVerificationError
	return errors.As(err, &cert)
}

// retry pauses before another attempt, as long as there is time since the first failure.
func (r *request) retry(ctx context.Context, failed error) (again bool, _ error) {
	if r.until.IsZero() {
		r.until = time.Now().Add(r.Retry)
	}
	if time.Now().Add(r.pause).After(r.until) {
		return false, failed
	}
	r.Log("no answer, trying again: " + failed.Error())
	if wait.Sleep(ctx, r.pause) != nil {
		return false, ctx.Err()
	}
	r.pause = min(2*r.pause, pauseMost)
	return true, nil
}

// repeatable reports whether a message may be sent twice: the specification defines these methods as reading, as
// beginning a session that is then simply not used, or as setting what is set already; and a second response to one
// request has no effect. A tool may do anything, also one that says it only reads; what is not listed here is taken for a tool.
func repeatable(m *jsonrpc.Message) bool {
	switch m.Method {
	case "initialize", "server/discover", "ping", "tools/list", "prompts/list", "prompts/get", "resources/list", "resources/read",
		"resources/templates/list", "resources/subscribe", "resources/unsubscribe", "completion/complete", "logging/setLevel",
		"subscriptions/listen", "notifications/initialized", "notifications/cancelled", "notifications/progress",
		"notifications/roots/list_changed":
		return true
	}
	return m.Kind == jsonrpc.Response
}

func (r *request) repeatable() bool { return r.method != http.MethodPost || repeatable(r.call.m) }

// uncertain marks an error about a request that the server may have carried out, though there is no answer to it.
type uncertain struct{ error }

// Unwrap returns the error itself.
func (u uncertain) Unwrap() error { return u.error }

// MayHaveRun reports whether err is about a request that the server may have carried out.
func MayHaveRun(err error) bool {
	var u uncertain
	return errors.As(err, &u)
}

package bridge

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// errand is one HTTP request to the server.
type errand struct {
	method string
	m      *message // what is posted; an empty message with GET and DELETE
	last   string   // Last-Event-ID
	call   *call    // whom it is for; nil: nobody waits
	via    *view    // the session it goes to; nil: the present one
	final  bool     // a lost session is the answer: no new one is opened for this
}

// The pauses between attempts, and how often a server may send us elsewhere on its origin.
const (
	retryFirst   = 250 * time.Millisecond
	retryMost    = 4 * time.Second
	maxRedirects = 5
)

// attempts is what one errand has used up.
type attempts struct {
	until     time.Time // no attempt begins after this; zero: none has failed on the way
	pause     time.Duration
	refused   []demand // for each of these the token was replaced once
	overtaken int      // as often another request had already replaced it
	reopened  bool     // the session was replaced once
	redirects int
	throttled time.Duration // spent waiting because the server said so
}

// transmit sends an errand until there is an answer to judge by its content. It tries again only where the first
// attempt had no effect: nothing was written, the token was refused, the session was unknown, the server asked to wait
// or named another address on its own origin; or where a repetition has none (see harmless).
func (p *pump) transmit(ctx context.Context, e errand) (*http.Response, error) {
	a := attempts{pause: retryFirst}
	for {
		t, err := p.permit(ctx, Need{})
		if err != nil {
			return nil, err
		}
		s := p.session.view()
		if e.via != nil {
			s = *e.via
		}
		if e.call != nil {
			e.call.away.Store(false)
			if e.call.dropped.Load() {
				return nil, context.Canceled
			}
			e.call.visit(s)
		}
		resp, sent, err := p.try(ctx, e, t, s)
		var again bool
		if err != nil {
			again, err = p.lostOnTheWay(ctx, e, &a, sent, err)
		} else {
			again, err = p.judge(ctx, e, &a, t, s, resp)
		}
		if err == nil && !again {
			p.keeper.satisfied(a.refused)
		}
		if err != nil || !again {
			return resp, err
		}
	}
}

// permit gets a token, and waits for a person where only one can help. The zero Need is the plain question.
func (p *pump) permit(ctx context.Context, n Need) (credential.Token, error) {
	ask := func() (credential.Token, error) {
		if n == (Need{}) {
			return p.keeper.token(ctx)
		}
		return p.keeper.replace(ctx, n)
	}
	for again := false; ; again = true {
		finished := p.door.finished()
		t, err := ask()
		if again || !needsPerson(err) {
			return t, err
		}
		if err := p.door.open(ctx, n, finished, err); err != nil {
			return t, err
		}
	}
}

// try makes one attempt. sent says whether anything of the request may have reached the server.
func (p *pump) try(ctx context.Context, e errand, t credential.Token, s view) (resp *http.Response, sent bool, err error) {
	var wrote atomic.Bool
	mark := func(away bool) {
		wrote.Store(away)
		if e.call != nil {
			e.call.away.Store(away)
		}
	}
	trace := &httptrace.ClientTrace{
		GetConn:      func(string) { mark(false) }, // again when net/http itself repeats what no server has seen
		WroteHeaders: func() { mark(true) },
	}
	var body io.Reader
	if e.m.raw != nil {
		body = bytes.NewReader(e.m.raw)
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), e.method, *p.place.Load(), body)
	if err != nil {
		return nil, false, err
	}
	maps.Copy(req.Header, p.Headers)
	switch e.method {
	case http.MethodPost:
		req.Header["Content-Type"] = []string{"application/json"}
		req.Header["Accept"] = []string{"application/json, text/event-stream"}
	case http.MethodGet:
		req.Header["Accept"] = []string{"text/event-stream"}
		if e.last != "" {
			req.Header[headerLast] = []string{e.last}
		}
	}
	if e.m.method != "initialize" {
		p.describe(req.Header, e.m, s)
	}
	authorize(req.Header, t)
	resp, err = p.Client.Do(req)
	return resp, wrote.Load(), err
}

// lostOnTheWay deals with an attempt that got no answer.
func (p *pump) lostOnTheWay(ctx context.Context, e errand, a *attempts, sent bool, err error) (again bool, _ error) {
	doubtful := sent && !harmless(e)
	switch {
	case ctx.Err() != nil && doubtful:
		return false, unsure(ctx.Err())
	case ctx.Err() != nil:
		return false, ctx.Err()
	}
	failed := webclient.Failure(err, "server")
	failed.Server = p.URL
	if doubtful {
		failed.Text = "the connection broke after the request was sent; it was not sent again, because it may have been carried out"
		return false, unsure(failed)
	}
	if failed.Kind != credential.Network || untrusted(err) {
		return false, failed
	}
	return p.oncemore(ctx, a, failed)
}

// oncemore rests before another attempt, as long as patience lasts from the first failure on.
func (p *pump) oncemore(ctx context.Context, a *attempts, failed error) (again bool, _ error) {
	if a.until.IsZero() {
		a.until = time.Now().Add(p.Patience)
	}
	if time.Now().Add(a.pause).After(a.until) {
		return false, failed
	}
	p.Log("no answer, trying again: " + failed.Error())
	if rest(ctx, a.pause) != nil {
		return false, ctx.Err()
	}
	a.pause = min(2*a.pause, retryMost)
	return true, nil
}

// harmless reports whether an errand may be sent twice: the specification defines these methods as reading, as
// beginning a session that is then simply not used, or as setting what is set already; and a second response to one
// request has none. A tool may do anything, also one that says it only reads; what is not listed here is taken for a tool.
func harmless(e errand) bool {
	if e.m.kind == response {
		return true
	}
	switch e.m.method {
	case "initialize", "server/discover", "ping", "tools/list", "prompts/list", "prompts/get", "resources/list", "resources/read",
		"resources/templates/list", "resources/subscribe", "resources/unsubscribe", "completion/complete", "logging/setLevel",
		"subscriptions/listen", "notifications/initialized", "notifications/cancelled", "notifications/progress",
		"notifications/roots/list_changed":
		return true
	}
	return e.method != http.MethodPost
}

// judge decides about an answer by its status alone. again says that the errand is to be sent once more; an answer that
// is neither that nor an error is for deliver.
func (p *pump) judge(ctx context.Context, e errand, a *attempts, t credential.Token, s view, resp *http.Response) (again bool, err error) {
	challenge := bearer(resp.Header.Values("WWW-Authenticate"))
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden && challenge != "":
		discard(resp)
		return p.refused(ctx, a, t, challenge)
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		return p.throttled(ctx, a, resp)
	case unready(status) && harmless(e) && e.method == http.MethodPost:
		if again, _ := p.oncemore(ctx, a, p.fail(credential.Network, "the server answers "+credential.Printable(resp.Status, 60), nil)); again {
			discard(resp)
			return true, nil
		}
		return false, ctx.Err()
	case status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect:
		discard(resp)
		return p.moved(a, resp)
	case e.final || s.id == "" || e.m.version >= modern || e.m.method == "initialize" || a.reopened || !sessionLost(e.m, resp):
		return false, nil
	}
	discard(resp)
	a.reopened = true
	return true, p.renew(ctx, s)
}

// unready reports whether a status is that of a proxy whose server is on its way up or down.
func unready(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// maxDemands bounds what a server may want of the token of one request, one after the other: that it is not revoked, and
// that it has a scope or claims.
const maxDemands = 2

// refused gets another token, once for each demand; parallel requests share the question.
func (p *pump) refused(ctx context.Context, a *attempts, t credential.Token, challenge string) (bool, error) {
	if p.Tokens == nil {
		return false, p.fail(credential.BadInput, "the server refuses the credentials in the headers that this bridge was given", nil)
	}
	if a.overtaken < maxDemands && p.keeper.overtook(t.Access) {
		a.overtaken++
		return true, nil
	}
	d := demandOf(challenge)
	if slices.Contains(a.refused, d) || len(a.refused) == maxDemands {
		return false, p.refusedAgain()
	}
	a.refused = append(a.refused, d)
	if challenge == "" {
		challenge = "Bearer"
	}
	if t.Access.IsZero() {
		p.Log("the server asks for a token")
	} else {
		p.Log("the server refuses the token")
	}
	_, err := p.permit(ctx, Need{Refused: t.Access, Challenge: challenge})
	if err == errRefusedAgain {
		err = p.refusedAgain()
	}
	return err == nil, err
}

func (p *pump) refusedAgain() error {
	return p.fail(credential.Refused, "the server refuses the token, and a new one too", nil)
}

// throttled waits as long as the server asked for, within bounds. Without Retry-After nothing says that the request was
// not carried out.
func (p *pump) throttled(ctx context.Context, a *attempts, resp *http.Response) (bool, error) {
	pause, ok := retryAfter(resp.Header.Get("Retry-After"), p.Now())
	if !ok {
		return false, nil
	}
	discard(resp)
	if a.throttled += max(pause, retryFirst); a.throttled > p.Throttle {
		err := p.fail(credential.Throttled, "the server asks to wait ("+strconv.Itoa(resp.StatusCode)+")", nil)
		err.RetryAfter = pause
		return false, err
	}
	p.Log("the server asks to wait " + pause.String())
	return true, rest(ctx, max(pause, retryFirst))
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3).
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	return max(at.Sub(now), 0), err == nil
}

// moved follows a redirect that keeps the method, on the server's own origin: frameworks answer /mcp so with /mcp/. The
// token goes nowhere else.
func (p *pump) moved(a *attempts, resp *http.Response) (bool, error) {
	to, err := resp.Location()
	if err != nil || credential.Origin(to.String()) != credential.Origin(p.URL) {
		return false, p.fail(credential.Hostile, "the server redirects to another origin, where its token must not go", nil)
	}
	if a.redirects++; a.redirects > maxRedirects {
		return false, p.fail(credential.BadAnswer, "the server redirects for ever", nil)
	}
	place := (&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path, RawPath: to.RawPath, RawQuery: to.RawQuery}).String()
	if resp.StatusCode == http.StatusPermanentRedirect || resp.Request.Method == http.MethodPost {
		p.place.Store(&place)
	}
	return true, nil
}

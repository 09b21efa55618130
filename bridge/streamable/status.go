package streamable

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/internal/wait"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// maxRedirects is how often a server may name another address on its origin.
const maxRedirects = 5

// judge decides about an answer by its status alone. again says that the request is to be sent once more; an answer that
// is neither that nor an error is for deliver.
func (r *request) judge(ctx context.Context, t credential.Token, s session, resp *http.Response) (again bool, err error) {
	challenged := len(resp.Header.Values("WWW-Authenticate")) > 0
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden && challenged:
		discard(resp)
		return r.refused(ctx, t, resp)
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		return r.throttle(ctx, resp)
	case unready(status) && r.method == http.MethodPost && r.repeatable():
		if again, _ := r.retry(ctx, r.fail(credential.Network, "the server answers "+credential.Printable(resp.Status, 60), nil)); again {
			discard(resp)
			return true, nil
		}
		return false, ctx.Err()
	case status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect:
		discard(resp)
		return r.redirect(resp)
	case r.final || r.renewed || s.id == "" || r.method == http.MethodPost && r.call.sessionless() || !r.sessionLost(resp):
		return false, nil
	}
	discard(resp)
	r.renewed = true
	return true, r.renew(ctx, s)
}

// sessionless reports whether a message belongs to no session.
func (c *Call) sessionless() bool { return c.revision >= stateless || c.m.Method == "initialize" }

// unready reports whether a status is that of a proxy whose server is on its way up or down.
func unready(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// transient reports whether a status says that the same request may be answered otherwise later.
func transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status/100 == 5 && status != http.StatusNotImplemented
}

// maxChallenges bounds what a server may want of the token of one request, one after the other: that it is not revoked,
// and that it has a scope or claims.
const maxChallenges = 2

// refused gets another token, once for each challenge; parallel requests share the question.
func (r *request) refused(ctx context.Context, t credential.Token, resp *http.Response) (bool, error) {
	if r.Tokens.Source == nil {
		return false, r.fail(credential.BadInput, "the server refuses the credentials in --header", nil)
	}
	if r.superseded < maxChallenges && r.Tokens.Superseded(t.Access) {
		r.superseded++
		return true, nil
	}
	challenge, err := discovery.ParseChallenge(resp.Header.Values("WWW-Authenticate"))
	if err != nil {
		r.Log("the server's challenge cannot be used: " + err.Error())
	}
	known := func(c discovery.Challenge) bool {
		return c.Error == challenge.Error && c.Scope == challenge.Scope && c.Claims == challenge.Claims
	}
	if len(r.challenges) == maxChallenges || slices.ContainsFunc(r.challenges, known) {
		return false, r.refusedAgain()
	}
	if wantsProof(resp) && !t.Key.IsZero() {
		return false, r.fail(credential.Refused, "the server takes no proof of the token's key ("+challenge.Error+"), as when the clock of this machine is wrong", nil)
	}
	challenge.Scheme = cmp.Or(challenge.Scheme, "bearer") // also where the server names none
	r.challenges = append(r.challenges, challenge)
	if t.Access.IsZero() {
		r.Log("the server asks for a token")
	} else {
		r.Log("the server refuses the token")
	}
	_, err = r.token(ctx, token.Need{Refused: t.Access, Challenge: challenge})
	if err == token.ErrRefusedAgain {
		err = r.refusedAgain()
	}
	return err == nil, err
}

func (r *request) refusedAgain() error {
	return r.fail(credential.Refused, "the server refuses the token, and a new one too", nil)
}

// throttle waits as long as the server asked for, within bounds. Without Retry-After nothing says that the request was
// not carried out.
func (r *request) throttle(ctx context.Context, resp *http.Response) (bool, error) {
	pause, ok := webclient.RetryAfter(resp.Header.Get("Retry-After"), r.Now())
	if !ok {
		return false, nil
	}
	discard(resp)
	if r.throttled += max(pause, pauseLeast); r.throttled > r.MaxRetryAfter {
		err := r.fail(credential.Throttled, "the server asks to wait ("+strconv.Itoa(resp.StatusCode)+")", nil)
		err.RetryAfter = pause
		return false, err
	}
	r.Log("the server asks to wait " + pause.String())
	return true, wait.Sleep(ctx, max(pause, pauseLeast))
}

// redirect follows a redirect that keeps the method, on the server's own origin: frameworks answer /mcp so with /mcp/. The
// token goes nowhere else.
func (r *request) redirect(resp *http.Response) (bool, error) {
	to, err := resp.Location()
	if err != nil || credential.Origin(to.String()) != credential.Origin(r.URL) {
		return false, r.fail(credential.Hostile, "the server redirects to another origin, where its token must not go", nil)
	}
	if r.redirects++; r.redirects > maxRedirects {
		return false, r.fail(credential.BadAnswer, "the server redirects more than 5 times", nil)
	}
	endpoint := (&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path, RawPath: to.RawPath, RawQuery: to.RawQuery}).String()
	if resp.StatusCode == http.StatusPermanentRedirect || r.method == http.MethodPost {
		r.endpoint.Store(&endpoint)
	}
	return true, nil
}

// sessionLost reports whether the server no longer knows the session of a request: 404 as the specification has it, or
// the 400 of the many servers that look their sessions up in a map. An error that bears the identifier of the request is
// the answer to it, unless a 404 speaks of the session. The body stays readable.
func (r *request) sessionLost(resp *http.Response) bool {
	status := resp.StatusCode
	if status != http.StatusBadRequest && status != http.StatusNotFound {
		return false
	}
	m, ok := peekError(resp)
	named := ok && strings.Contains(strings.ToLower(jsonrpc.Members(m.Error).Text("message")), "session")
	if ok && r.method == http.MethodPost && m.Kind == jsonrpc.Response && r.call.m.ID != nil && m.ID.Key() == r.call.m.ID.Key() {
		return status == http.StatusNotFound && named
	}
	return status == http.StatusNotFound || named
}

package discovery

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// initialize is the first message of an MCP session: what every server expects from a client without a token.
const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"mcp-credential","version":"0"}}}`

// answer is what the server said to a request without a token.
type answer struct {
	status    int
	challenge Challenge // zero: none
}

// probe asks the server without a token, as the specification's flow begins. POST comes first: Streamable HTTP servers
// answer GET with 405 before they look at a token, and gateways in front of them send a GET to a login page. Servers of
// the older HTTP+SSE transport know GET only. Only a server that cannot be reached is an error; the well-known places
// are asked whatever it says.
func (f Finder) probe(ctx context.Context, server string) (answer, error) {
	a, err := f.ask(ctx, http.MethodPost, server)
	if err != nil || a.status == http.StatusUnauthorized || a.status < 400 || a.status >= 500 {
		return a, err
	}
	b, err := f.ask(ctx, http.MethodGet, server)
	if err == nil && b.status == http.StatusUnauthorized {
		return b, nil
	}
	return a, nil
}

func (f Finder) ask(ctx context.Context, method, server string) (answer, error) {
	body := ""
	if method == http.MethodPost {
		body = initialize
	}
	resp, err := f.send(ctx, message{method: method, server: server, body: body})
	if err != nil {
		return answer{}, err
	}
	f.trace(method + " " + server + ": " + strconv.Itoa(resp.StatusCode))
	if away(resp) {
		return answer{}, credential.Fail(credential.Hostile, "the server redirects to another origin", nil)
	}
	return answer{status: resp.StatusCode, challenge: f.challenge(resp)}, nil
}

// message is one request to an MCP server.
type message struct {
	method, server string
	body           string           // of a POST
	token          credential.Token // zero: none
	session        string           // empty: none
}

// send sends a message. The body of the answer is closed. A server that wants a nonce in the proof of the token's key gets
// the message once more, with it (RFC 9449 section 9).
func (f Finder) send(ctx context.Context, m message) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, credential.HTTPMetadata)
	defer cancel()
	var nonces dpop.Nonces
	resp, err := m.send(ctx, f.Client, "")
	if err != nil || m.token.Key.IsZero() || nonces.Take(m.server, resp.Header) == "" || f.challenge(resp).Error != dpop.ErrNonce {
		return resp, err
	}
	return m.send(ctx, f.Client, nonces.For(m.server))
}

func (m message) send(ctx context.Context, client *http.Client, nonce string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, m.method, m.server, strings.NewReader(m.body))
	if err != nil {
		return nil, credential.Fail(credential.BadInput, "the server URL cannot be requested", nil)
	}
	req.Header.Set("Accept", "application/json, text/event-stream")
	if m.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if m.session != "" {
		req.Header.Set("Mcp-Session-Id", m.session)
		req.Header.Set("MCP-Protocol-Version", "2025-11-25")
	}
	if err := dpop.Authorize(req, m.token, nonce, time.Now()); err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		if name := webclient.UnknownHost(err); name != "" && strings.EqualFold(name, req.URL.Hostname()) {
			return nil, credential.Fail(credential.BadAnswer, "there is no host called "+name+"; check how it is spelt, and whether its network (a VPN) is connected", nil)
		}
		return nil, webclient.Failure(err, "server")
	}
	resp.Body.Close()
	return resp, nil
}

// Reply is how a server answers one request.
type Reply struct {
	Status    int
	Challenge Challenge     // zero: none
	Location  string        // where it redirects to; empty: it does not
	Date      time.Time     // by the server's clock (RFC 9110 section 6.6.1); zero: it does not say
	Took      time.Duration // from the request to the first byte of the answer
}

// Try sends the first message of an MCP session, with a token unless it is zero, and ends the session that a server opens
// for it. The token must be the server's. A server that cannot be reached is an error.
func (f Finder) Try(ctx context.Context, server string, token credential.Token) (Reply, error) {
	began := time.Now()
	resp, err := f.send(ctx, message{method: http.MethodPost, server: server, body: initialize, token: token})
	if err != nil {
		return Reply{}, err
	}
	r := Reply{Status: resp.StatusCode, Challenge: f.challenge(resp), Took: time.Since(began)}
	r.Date, _ = http.ParseTime(resp.Header.Get("Date"))
	if to, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		r.Location = to.String()
	}
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		f.endSession(ctx, server, token, id)
	}
	return r, nil
}

// ping is the smallest request there is. It belongs to no session: only whether the token is refused counts.
const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

// Refuses asks a server whether it refuses a token of its own, and why. What else it thinks of the request does not matter. A
// server that cannot be reached within credential.RepeatCheck is an error.
func (f Finder) Refuses(ctx context.Context, server string, token credential.Token) (Challenge, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, credential.RepeatCheck)
	defer cancel()
	resp, err := f.send(ctx, message{method: http.MethodPost, server: server, body: ping, token: token})
	if err != nil {
		return Challenge{}, false, err
	}
	c := f.challenge(resp)
	return c, resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden && c.Error == "insufficient_scope", nil
}

// endSession is a courtesy: a server that does not hear it ends the session by itself.
func (f Finder) endSession(ctx context.Context, server string, token credential.Token, id string) {
	ctx, cancel := context.WithTimeout(ctx, credential.BridgeShutdown)
	defer cancel()
	_, _ = f.send(ctx, message{method: http.MethodDelete, server: server, token: token, session: id})
}

// away reports whether a POST was answered with a redirect to another origin.
func away(resp *http.Response) bool {
	to, err := resp.Location()
	return resp.StatusCode/100 == 3 && err == nil && credential.Origin(to.String()) != credential.Origin(resp.Request.URL.String())
}

// challenge reads the header of a 401 or 403; one that cannot be read counts as none, for the well-known places remain.
func (f Finder) challenge(resp *http.Response) Challenge {
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return Challenge{}
	}
	c, err := ParseChallenge(resp.Header.Values("WWW-Authenticate"))
	if err != nil {
		f.trace("its WWW-Authenticate header cannot be used: " + err.Error())
	}
	return c
}

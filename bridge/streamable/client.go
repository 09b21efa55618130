// Package streamable sends the messages of a host to an MCP server over Streamable HTTP, and what comes back to the host:
// it holds the session, opens a new one where the server has lost it, resumes streams, and sends again what may be sent
// again. Where tokens come from, and what a host is told of a failure, is left to its callers.
package streamable

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/dpop"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// Config is what a Client needs; every field is.
type Config struct {
	URL     string       // of the server, canonical
	HTTP    *http.Client // follows no redirect of a POST, and none to another origin
	Headers http.Header  // added to every request
	Tokens  *token.Cache
	Token   func(context.Context, token.Need) (credential.Token, error) // of Tokens; it may wait for a person
	Out     *jsonrpc.Writer                                             // to the host
	Limit   jsonrpc.Limit                                               // of one message of the server
	Ready   func()                                                      // the server has accepted the end of the handshake
	Learn   Learn                                                       // nil: nobody wants to know
	Renewed func()                                                      // there is a session in place of one that the server had lost; nil: as above
	Log     func(string)                                                // one event, without secrets
	Now     func() time.Time

	Retry         time.Duration // how long a request waits for the network
	MaxRetryAfter time.Duration // the longest that a server may have a request wait
	Handshake     time.Duration // one step of a handshake that is repeated
	Shutdown      time.Duration // the end of the session
}

// Learn is told of each response that the server has given to a request: raw is the message, result its result, nil for an
// error. ours: the host has not sent the request. What it returns is passed to the host in place of raw.
type Learn func(request *jsonrpc.Message, raw, result []byte, ours bool) []byte

// Client is one host's connection to a server. Any goroutine may call its methods, but for Begin.
type Client struct {
	Config
	ctx            context.Context // ends with the bridge
	endpoint       atomic.Pointer[string]
	sessions       sessions
	renewal        singleflight.Group
	calls          calls
	serverRequests serverRequests
	toolHeaders    toolHeaders
	listener       listener
	nonces         dpop.Nonces
	idPrefix       string // of requests of our own: random, so that they are never those of the host
	requests       atomic.Int64
}

// New returns a Client whose background work ends with ctx.
func New(ctx context.Context, c Config) *Client {
	client := &Client{Config: c, ctx: ctx, calls: calls{byID: map[string]*Call{}}, idPrefix: "mcp-credential-" + rand.Text() + "-"}
	client.endpoint.Store(&client.URL)
	return client
}

// Begin takes up a message of the host, in the order in which the host has sent them, and returns nil where nothing of it
// is to be sent. Each call is ended.
func (c *Client) Begin(m *jsonrpc.Message) *Call {
	var in *session
	switch {
	case m.Kind == jsonrpc.Response:
		if in = c.serverRequests.take(m.ID); in != nil && in.count != c.sessions.now().count {
			c.Log("a response of the host is dropped: the server has lost the session that asked for it")
			return nil
		}
	case m.Method == "initialize":
		c.endpoint.Store(&c.URL)
		c.sessions.begin(m)
	case m.Method == "notifications/initialized":
		c.sessions.initialized(m)
	case m.Method == "notifications/cancelled":
		if c.calls.cancel(jsonrpc.ID(m.Params.Get("requestId"))) {
			return nil
		}
	}
	call := newCall(c.ctx, m)
	call.session = in
	c.calls.add(call)
	return call
}

// Send sends a call's message and delivers what comes back. Its error is what the requests of the call that are still
// pending fail with; MayHaveRun reports of it whether the server may have carried them out.
func (c *Client) Send(call *Call) error {
	c.listener.await(call.ctx, call.m)
	r := c.request(call, http.MethodPost)
	r.session, r.final = call.session, call.own || call.session != nil
	resp, err := r.do(call.ctx)
	if err != nil {
		return err
	}
	if call.m.Method == "tools/call" && resp.StatusCode == http.StatusBadRequest && (delivery{c, call}).relearn(resp) {
		if resp, err = r.do(call.ctx); err != nil {
			return err
		}
	}
	if call.m.Kind == jsonrpc.Notification && resp.StatusCode/100 == 2 {
		stream := isStream(resp)
		if !stream {
			discard(resp) // first, so that its connection serves what waits for this
		}
		c.accepted(call)
		if !stream {
			return nil
		}
	}
	// Where delivery fails after the server has taken the request, or has failed itself, that may have been carried out.
	taken := resp.StatusCode/100 == 2 || resp.StatusCode/100 == 5 && resp.StatusCode != http.StatusNotImplemented
	if err = (delivery{c, call}).deliver(resp); err != nil && taken && !repeatable(call.m) {
		err = uncertain{err}
	}
	return err
}

// accepted lets go on what waits for a notification of the host.
func (c *Client) accepted(call *Call) {
	if call.m.Method == "notifications/initialized" && !call.own {
		c.Ready()
		c.listener.start(c)
	}
	call.take()
}

// End ends a call.
func (c *Client) End(call *Call) { c.calls.end(call) }

// Wait waits until no call is under way, at most d.
func (c *Client) Wait(d time.Duration) { c.calls.wait(d) }

// Reconnect begins with new connections, the server's stream among them: a machine that has slept has peers that have
// forgotten the old ones.
func (c *Client) Reconnect() {
	webclient.Renew(c.HTTP)
	c.listener.restart(c)
}

// Close tells the server that the session is over. It is a courtesy, and short.
func (c *Client) Close() {
	s, t := c.sessions.now(), c.Tokens.Current()
	if s.id == "" || !t.Access.IsZero() && !t.Valid(c.Now()) {
		return // a request never leaves with an expired token, and none is worth waiting for now
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Shutdown)
	defer cancel()
	r := c.request(newCall(ctx, &jsonrpc.Message{}), http.MethodDelete)
	if resp, err := r.attempt(ctx, t, s); err == nil {
		resp.Body.Close()
	}
}

// fail builds an error about the server.
func (c *Client) fail(kind credential.Kind, text string, cause error) *credential.Error {
	return &credential.Error{Kind: kind, Text: text, Server: c.URL, Err: cause}
}

package streamable

import (
	"context"
	"net/http"
	"strconv"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/credential"
)

// unexpected says what the server answered instead of MCP. Bodies stay out of it.
func (d delivery) unexpected(resp *http.Response, what string) error {
	if len(d.call.Pending()) == 0 && !d.call.own && resp.StatusCode/100 == 2 {
		return nil
	}
	answers := "the server answers " + credential.Printable(resp.Status, 60)
	switch status := resp.StatusCode; {
	case status/100 == 2:
		return d.fail(credential.BadAnswer, "the server answers with "+credential.Printable(what, 60)+", not with MCP", nil)
	case status/100 == 3:
		return d.otherRedirect(resp)
	case status == http.StatusTooManyRequests:
		return d.fail(credential.Throttled, answers, nil)
	case status >= 500 && status != http.StatusNotImplemented:
		return d.fail(credential.Network, answers, nil)
	case d.sessions.now().version == "" && d.onlySSE():
		return d.fail(credential.BadAnswer, "the server speaks only the HTTP+SSE transport of MCP 2024-11-05, which this bridge does not; ask for its Streamable HTTP address", nil)
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusGone:
		answers += "; check its URL"
	case status == http.StatusForbidden:
		answers = "the server does not allow this (" + credential.Printable(resp.Status, 60) + ")"
	}
	return d.fail(credential.BadAnswer, answers, nil)
}

// otherRedirect is about a redirect that turns a POST into a GET: as it is, it cannot be followed.
func (d delivery) otherRedirect(resp *http.Response) error {
	to, err := resp.Location()
	text := "the server redirects (" + strconv.Itoa(resp.StatusCode) + ")"
	switch {
	case err != nil:
		return d.fail(credential.BadAnswer, text+" to nowhere", nil)
	case credential.Origin(to.String()) != credential.Origin(d.URL):
		return d.fail(credential.Hostile, text+" to another origin, where its token must not go", nil)
	}
	place := credential.Printable(to.Scheme+"://"+to.Host+to.EscapedPath(), 200)
	return d.fail(credential.BadAnswer, text+" in a way that drops the request body; if "+place+" is its MCP address, use that one", nil)
}

// onlySSE looks for the transport of MCP 2024-11-05 at the URL: a GET whose first event names another endpoint.
func (d delivery) onlySSE() bool {
	ctx, cancel := context.WithTimeout(d.call.ctx, credential.HTTPConnect)
	defer cancel()
	t, err := d.Tokens.Token(ctx)
	if err != nil {
		return false
	}
	resp, err := d.request(newCall(ctx, &jsonrpc.Message{}), http.MethodGet).attempt(ctx, t, session{})
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	first, err := newEventReader(resp.Body, jsonrpc.Limit{Size: maxErrorBody}).next()
	return err == nil && first.name == "endpoint"
}

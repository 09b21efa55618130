package bridge

import (
	"context"
	"net/http"
	"strconv"

	"github.com/mcp-credential/mcp-credential/credential"
)

// notMCP says what the server answered instead of MCP. Bodies stay out of it.
func (p *pump) notMCP(c *call, resp *http.Response, what string) error {
	if len(c.open()) == 0 && !c.own && resp.StatusCode/100 == 2 {
		return nil
	}
	answers := "the server answers " + credential.Printable(resp.Status, 60)
	switch status := resp.StatusCode; {
	case status/100 == 2:
		return p.fail(credential.BadAnswer, "the server answers with "+credential.Printable(what, 60)+", not with MCP", nil)
	case status/100 == 3:
		return p.elsewhere(resp)
	case status == http.StatusTooManyRequests:
		return p.fail(credential.Throttled, answers, nil)
	case status >= 500 && status != http.StatusNotImplemented:
		return p.fail(credential.Network, answers, nil)
	case p.session.view().version == "" && p.onlySSE(c):
		return p.fail(credential.BadAnswer, "the server speaks only the HTTP+SSE transport of MCP 2024-11-05, which this bridge does not; ask for its Streamable HTTP address", nil)
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusGone:
		answers += ": perhaps its URL is another one"
	case status == http.StatusForbidden:
		answers = "the server does not allow this (" + credential.Printable(resp.Status, 60) + ")"
	}
	return p.fail(credential.BadAnswer, answers, nil)
}

// elsewhere is about a redirect that turns a POST into a GET: as it is, it cannot be followed.
func (p *pump) elsewhere(resp *http.Response) error {
	to, err := resp.Location()
	text := "the server redirects (" + strconv.Itoa(resp.StatusCode) + ")"
	switch {
	case err != nil:
		return p.fail(credential.BadAnswer, text+" to nowhere", nil)
	case credential.Origin(to.String()) != credential.Origin(p.URL):
		return p.fail(credential.Hostile, text+" to another origin, where its token must not go", nil)
	}
	place := credential.Printable(to.Scheme+"://"+to.Host+to.EscapedPath(), 200)
	return p.fail(credential.BadAnswer, text+" in a way that loses the request; if "+place+" is its MCP address, use that one", nil)
}

// onlySSE looks for the transport of MCP 2024-11-05 at the URL: a GET whose first event names another endpoint.
func (p *pump) onlySSE(c *call) bool {
	ctx, cancel := context.WithTimeout(c.ctx, credential.HTTPConnect)
	defer cancel()
	t, err := p.keeper.token(ctx)
	if err != nil {
		return false
	}
	resp, _, err := p.try(ctx, errand{method: http.MethodGet, m: &message{}}, t, view{})
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	first, err := newEvents(resp.Body, gather{max: maxRefusal}).next()
	return err == nil && first.name == "endpoint"
}

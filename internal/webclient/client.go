// Package webclient makes the HTTP client that every request to an authorization server or an MCP server's metadata
// goes through: proxies and certificates from the environment, bounded waits, no redirect to another origin. What is
// asked and what an answer means is left to its callers.
package webclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxRedirects is how many redirects a GET follows on its own origin.
const maxRedirects = 5

// maxHeader bounds the header of an answer in bytes.
const maxHeader = 64 << 10

// A connection that nobody uses is closed after idleTime, before a middlebox forgets it (see also idleMost); one of
// HTTP/2 on which nothing arrives is tried with a ping after pingAfter, since a machine that has slept may hold a dead one.
const (
	idleTime  = 90 * time.Second
	pingAfter = 30 * time.Second
)

// Options says what a client depends on. The zero Options is usable.
type Options struct {
	Version string                                // for the User-Agent
	Getenv  func(string) string                   // SSL_CERT_FILE and SSL_CERT_DIR; nil: os.Getenv
	Proxy   func(*http.Request) (*url.URL, error) // nil: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as net/http reads them
	Idle    int                                   // connections to one server that are kept for later; 0: two
}

// New returns a client. It bounds the dial and the TLS handshake; the caller bounds the request by its context and
// the body with ReadBody. It follows no redirect of a POST (the caller gets the 3xx answer) and none to another
// origin (an error of kind Hostile). Errors of New are of kind Misconfigured and name the certificate file.
func New(o Options) (*http.Client, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	roots, err := loadRoots(o.Getenv)
	if err != nil {
		return nil, err
	}
	n := &named{agent: agent(o.Version), build: func() *http.Transport {
		return &http.Transport{
			Proxy:                  o.Proxy,
			OnProxyConnectResponse: connected,
			DialContext:            dial,
			TLSHandshakeTimeout:    credential.HTTPConnect,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    o.Idle,
			IdleConnTimeout:        idleTime,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: credential.HTTPConnect},
			MaxResponseHeaderBytes: maxHeader,
		}
	}}
	n.next.Store(n.build())
	return &http.Client{Transport: n, CheckRedirect: checkRedirect}, nil
}

// Renew has the requests of c, a client of New, go over new connections from now on: the peers of those that are open may
// have forgotten them, as after a sleep of this machine. Requests under way go on as they are. Any goroutine may call it.
func Renew(c *http.Client) {
	if n, ok := c.Transport.(*named); ok {
		n.next.Swap(n.build()).CloseIdleConnections()
	}
}

// connected judges a proxy's answer to CONNECT, of whose text net/http would make the error.
func connected(_ context.Context, proxy *url.URL, to *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return credential.Fail(credential.Network, "the proxy "+host(proxy)+" does not connect to "+credential.Printable(to.Host, 100)+": it answers "+strconv.Itoa(answer.StatusCode), nil)
}

// A peer that is gone, as after a sleep of this machine or of a router's table, is given up after peerTimeout: keepalive
// finds it on a connection that is silent, the timeout for unacknowledged data on one that a request was just written to,
// where the system's own takes a quarter of an hour.
const peerTimeout = 30 * time.Second

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := dialer().DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &dialed{c}, nil
}

func dialer() *net.Dialer {
	return &net.Dialer{
		Timeout:         credential.HTTPConnect,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: peerTimeout / 2, Interval: peerTimeout / 6, Count: 3},
		ControlContext: func(_ context.Context, network, _ string, c syscall.RawConn) error {
			if strings.HasPrefix(network, "tcp") {
				_ = c.Control(func(fd uintptr) { setUserTimeout(fd, peerTimeout) }) // a system without the option has its own limit
			}
			return nil
		},
	}
}

func agent(version string) string {
	version = cmp.Or(version, "dev")
	return "mcp-credential/" + version
}

// named adds the User-Agent, and passes over connections that have rested for too long.
type named struct {
	agent      string
	build      func() *http.Transport
	next       atomic.Pointer[http.Transport]
	idleLimits idleLimits
}

// RoundTrip sends a copy of the request, as http.RoundTripper demands.
func (n *named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(httptrace.WithClientTrace(r.Context(), n.idleLimits.trace(r)))
	r.Header.Set("User-Agent", n.agent)
	resp, err := n.next.Load().RoundTrip(r)
	if err == nil {
		n.idleLimits.note(resp)
	}
	return resp, err
}

// CloseIdleConnections makes http.Client.CloseIdleConnections reach the transport.
func (n *named) CloseIdleConnections() { n.next.Load().CloseIdleConnections() }

// checkRedirect keeps what a request carries on the origin it was meant for ("Clone2Leak" of the git helpers).
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet && first.Method != http.MethodHead || first.Header.Get("DPoP") != "" {
		return http.ErrUseLastResponse // a proof holds for one address alone (RFC 9449 section 4.3)
	}
	from, to := credential.Origin(first.URL.String()), credential.Origin(next.URL.String())
	if to == "" || from != to {
		return credential.Fail(credential.Hostile, host(first.URL)+" redirects to another origin", nil)
	}
	if len(via) > maxRedirects {
		return credential.Fail(credential.Hostile, host(first.URL)+" redirects more than 5 times", nil)
	}
	return nil
}

func host(u *url.URL) string { return credential.Printable(u.Host, 100) }

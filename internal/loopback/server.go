// Package loopback serves the pages that a sign-in shows in a browser on this machine: the end of an OAuth redirect
// (RFC 8252 section 7.3), and a question of ours before it. What a redirect means and who opens the browser is left to
// its callers.
package loopback

import (
	"cmp"
	"context"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// path is where the authorization server sends the browser back to.
const path = "/callback"

// maxHeader bounds a request's line and header in bytes: codes and states are far smaller.
const maxHeader = 32 << 10

// hold bounds how long the browser waits for the outcome: one redemption of the code.
const hold = credential.HTTPConnect + credential.HTTPToken

// Redirect waits for one OAuth redirect on a port of this machine. Everything else that arrives,
// a wrong state included, is answered with 404 and does not end the wait: other programs can reach the port too.
type Redirect struct {
	uri      string // redirect_uri
	host     string // as the browser names it, with the port
	path     string
	form     bool // the answer may come as a form post
	server   *http.Server
	state    string
	hold     time.Duration
	taken    atomic.Bool
	arrivals chan Callback
}

// Callback is a redirect with the right state. Its page stays open until Done is called.
type Callback struct {
	Values  url.Values // the parameters of the redirect
	outcome chan error
}

// Listen starts to wait for a redirect that carries state on a port of 127.0.0.1 that the system chooses. Close it when the
// sign-in is over.
func Listen(state string) (*Redirect, error) {
	l, err := anyPort()
	if err != nil {
		return nil, err
	}
	return newRedirect(state, "http://"+l.Addr().String()+path, false, l), nil
}

// ListenLocalhost is Listen for authorization servers that know this machine as http://localhost without a path, with
// any port, and nothing else (Entra ID), which RFC 8252 section 8.3 advises against: another user's program may listen
// on the other address that the name has, and PKCE makes what it hears worthless. The answer may also come as a form
// post (OAuth 2.0 Form Post Response Mode), which keeps the code out of the browser's history.
func ListenLocalhost(state string) (*Redirect, error) {
	l, err := anyPort()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return newRedirect(state, "http://localhost:"+port, true, l), nil
}

func anyPort() (net.Listener, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, credential.Fail(credential.Internal, "cannot open a port on 127.0.0.1 for the browser", err)
	}
	return l, nil
}

// newRedirect waits at an address that credential.CheckRedirect accepts.
func newRedirect(state, uri string, form bool, listeners ...net.Listener) *Redirect {
	u, _ := url.Parse(uri)
	r := &Redirect{
		uri: uri, host: strings.TrimSuffix(u.Host, ":80"), path: cmp.Or(u.Path, "/"), form: form,
		state: state, hold: hold, arrivals: make(chan Callback, 1),
	}
	r.server = serve(http.HandlerFunc(r.handle), listeners...)
	return r
}

// URI is the redirect_uri to send.
func (r *Redirect) URI() string { return r.uri }

// Wait returns the redirect, once. When ctx ends first, its error is returned.
func (r *Redirect) Wait(ctx context.Context) (Callback, error) {
	select {
	case a := <-r.arrivals:
		return a, nil
	case <-ctx.Done():
		return Callback{}, ctx.Err()
	}
}

// Done shows the person how the sign-in ended: well for nil, else with err's text made printable. It is called once.
func (a Callback) Done(err error) { a.outcome <- err }

// Close lets the browser finish reading for credential.LoopbackGrace and frees the port.
func (r *Redirect) Close() { shut(r.server) }

func (r *Redirect) handle(w http.ResponseWriter, req *http.Request) {
	values := r.values(w, req)
	if !r.addressed(req) || !r.expected(values) || !r.taken.CompareAndSwap(false, true) {
		writePage(w, http.StatusNotFound, notHere)
		return
	}
	a := Callback{Values: values, outcome: make(chan error, 1)}
	r.arrivals <- a
	timer := time.NewTimer(r.hold)
	defer timer.Stop()
	select {
	case err := <-a.outcome:
		writeOutcome(w, err)
	case <-timer.C:
		writePage(w, http.StatusOK, unknown)
	case <-req.Context().Done():
	}
}

// values are the parameters of the answer: the query, or the form of a form post.
func (r *Redirect) values(w http.ResponseWriter, req *http.Request) url.Values {
	if req.Method != http.MethodPost || !r.form {
		return req.URL.Query()
	}
	req.Body = http.MaxBytesReader(w, req.Body, maxHeader)
	if req.ParseForm() != nil {
		return nil
	}
	return req.PostForm
}

// addressed refuses what a page of another site could cause by DNS rebinding: the Host is ours, literally.
func (r *Redirect) addressed(req *http.Request) bool {
	method := req.Method == http.MethodGet || req.Method == http.MethodPost && r.form
	return method && req.URL.Path == r.path && req.Host == r.host
}

// expected compares the state in constant time. A state that is given twice is nobody's (RFC 6749 section 3.1).
func (r *Redirect) expected(values url.Values) bool {
	got := values["state"]
	return len(got) == 1 && subtle.ConstantTimeCompare([]byte(got[0]), []byte(r.state)) == 1
}

func serve(h http.Handler, listeners ...net.Listener) *http.Server {
	s := &http.Server{
		Handler:           h,
		ReadTimeout:       credential.HTTPConnect,
		ReadHeaderTimeout: credential.HTTPConnect,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          silent(),
	}
	s.SetKeepAlivesEnabled(false)
	for _, l := range listeners {
		go func() { _ = s.Serve(l) }() // ends with Close
	}
	return s
}

func shut(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), credential.LoopbackGrace)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		_ = s.Close()
	}
}

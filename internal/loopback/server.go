// Package loopback serves the pages that a sign-in shows in a browser on this machine: the end of an OAuth redirect
// (RFC 8252 section 7.3), and a question of ours before it. What a redirect means and who opens the browser is left to
// its callers.
package loopback

import (
	"context"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
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

// Redirect waits for one OAuth redirect on a port of 127.0.0.1 that the system chose. Everything else that arrives,
// a wrong state included, is answered with 404 and does not end the wait: other programs can reach the port too.
type Redirect struct {
	listener net.Listener
	server   *http.Server
	state    string
	hold     time.Duration
	taken    atomic.Bool
	arrivals chan Arrival
}

// Arrival is a redirect with the right state. Its page stays open until Done is called.
type Arrival struct {
	Values  url.Values // the query of the redirect
	outcome chan error
}

// Listen starts to wait for a redirect that carries state. Close it when the sign-in is over.
func Listen(state string) (*Redirect, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, credential.Fail(credential.Internal, "cannot open a port on 127.0.0.1 for the browser", err)
	}
	r := &Redirect{listener: l, state: state, hold: hold, arrivals: make(chan Arrival, 1)}
	r.server = serve(l, http.HandlerFunc(r.handle))
	return r, nil
}

// URI is the redirect_uri to send.
func (r *Redirect) URI() string { return "http://" + r.listener.Addr().String() + path }

// Wait returns the redirect, once. When ctx ends first, its error is returned.
func (r *Redirect) Wait(ctx context.Context) (Arrival, error) {
	select {
	case a := <-r.arrivals:
		return a, nil
	case <-ctx.Done():
		return Arrival{}, ctx.Err()
	}
}

// Done shows the person how the sign-in ended: well for nil, else with err's text made printable. It is called once.
func (a Arrival) Done(err error) { a.outcome <- err }

// Close lets the browser finish reading for credential.LoopbackGrace and frees the port.
func (r *Redirect) Close() { shut(r.server) }

func (r *Redirect) handle(w http.ResponseWriter, req *http.Request) {
	values := req.URL.Query()
	if !r.addressed(req) || !r.expected(values) || !r.taken.CompareAndSwap(false, true) {
		writePage(w, http.StatusNotFound, notHere)
		return
	}
	a := Arrival{Values: values, outcome: make(chan error, 1)}
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

// addressed refuses what a page of another site could cause by DNS rebinding: the Host is ours, literally.
func (r *Redirect) addressed(req *http.Request) bool {
	return req.Method == http.MethodGet && req.URL.Path == path && req.Host == r.listener.Addr().String()
}

// expected compares the state in constant time. A state that is given twice is nobody's (RFC 6749 section 3.1).
func (r *Redirect) expected(values url.Values) bool {
	got := values["state"]
	return len(got) == 1 && subtle.ConstantTimeCompare([]byte(got[0]), []byte(r.state)) == 1
}

func serve(l net.Listener, h http.Handler) *http.Server {
	s := &http.Server{
		Handler:           h,
		ReadTimeout:       credential.HTTPConnect,
		ReadHeaderTimeout: credential.HTTPConnect,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          silent(),
	}
	s.SetKeepAlivesEnabled(false)
	go func() { _ = s.Serve(l) }() // ends with Close
	return s
}

func shut(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), credential.LoopbackGrace)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		_ = s.Close()
	}
}

package fakeworld

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// World is one authorization server with its protected servers. All methods may be called by any goroutine.
type World struct {
	opt     Options
	issuer  string
	origin  string
	control string
	keys    signer

	certificate tls.Certificate
	certPEM     []byte

	mu         sync.Mutex
	knobs      Behaviour
	stats      Stats
	tokenStore tokenStore
	proofs     proofs

	servers []*http.Server
	closed  chan struct{}
	once    sync.Once
}

// Start listens on three loopback ports (authorization server, protected servers, control) and serves until Close.
func Start(o Options) (*World, error) {
	o = o.withDefaults()
	w := &World{opt: o, stats: NewStats(), tokenStore: newTokenStore(o), closed: make(chan struct{}),
		proofs: proofs{seen: map[string]bool{}, nonces: map[string]bool{}}}
	if err := w.makeKeys(); err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	listeners, err := listen(3)
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	w.issuer = w.scheme() + listeners[0].Addr().String() + o.IssuerPath
	w.origin = w.scheme() + listeners[1].Addr().String()
	w.control = "http://" + listeners[2].Addr().String()
	w.servers = []*http.Server{
		authorizationServer: start(w.secure(listeners[0]), w.authorizationRoutes()),
		protectedServers:    start(w.secure(listeners[1]), w.resourceRoutes()),
		2:                   start(listeners[2], w.controlRoutes()),
	}
	return w, nil
}

func listen(n int) ([]net.Listener, error) {
	var out []net.Listener
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			for _, open := range out {
				_ = open.Close()
			}
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

func (w *World) makeKeys() (err error) {
	if w.keys, err = newSigner(); err == nil && w.opt.TLS {
		w.certificate, w.certPEM, err = NewCertificate()
	}
	return err
}

func (w *World) scheme() string {
	if w.opt.TLS {
		return "https://"
	}
	return "http://"
}

func (w *World) secure(l net.Listener) net.Listener {
	if w.opt.TLS {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{w.certificate}})
	}
	return l
}

func start(l net.Listener, h http.Handler) *http.Server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(l) }()
	return s
}

// CertPEM is what a client has to trust with Options.TLS; nil without it.
func (w *World) CertPEM() []byte { return w.certPEM }

// Close ends every connection and frees the ports.
func (w *World) Close() error {
	var errs []error
	w.once.Do(func() {
		close(w.closed)
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, s := range w.servers {
			errs = append(errs, s.Close())
		}
	})
	return errors.Join(errs...)
}

// ServerURL is the URL of the first protected MCP server.
func (w *World) ServerURL() string { return w.origin + w.opt.Paths[0] }

// ServerURLs are the URLs of all of them, in the order of Options.Paths.
func (w *World) ServerURLs() []string {
	var out []string
	for _, p := range w.opt.Paths {
		out = append(out, w.origin+p)
	}
	return out
}

// Issuer is the issuer identifier of the authorization server.
func (w *World) Issuer() string { return w.issuer }

// ControlURL is where /_control, /_stats and /_secrets are served.
func (w *World) ControlURL() string { return w.control }

// now is the server's clock, skew included. The caller holds w.mu.
func (w *World) now() time.Time { return w.opt.Now().Add(time.Duration(w.knobs.Skew)) }

// pause waits for d, and reports whether the client and the world are still there.
func (w *World) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-w.closed:
	}
	return false
}
